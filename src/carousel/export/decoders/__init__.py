"""Models that write a sentence: an encoder and a decoder with attention, as two files."""
