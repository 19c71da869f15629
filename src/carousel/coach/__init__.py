"""What a recurrent network does while it trains and afterwards, measured and said in words."""
