"""The board: runs in the browser, live or long finished. It reads run folders and nothing else.

    store.py     the runs of a folder: where they are, how each one stands
    series.py    number series, cut down in SQL to what a screen can show, extremes kept
    signals.py   what a series is about, from its name
    notes.py     what a person writes about a run
    words.py     the board's texts, a file per language in texts/
    charts.py    ECharts options from series
    guard.py     who may talk to the server
    pages/       what is seen (NiceGUI); server.py puts it on an address

Nothing here imports torch: the board is small, and runs beside the training it shows.
"""
