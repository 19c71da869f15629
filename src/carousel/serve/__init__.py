"""Live streams at scale: a state for each of thousands of streams, stepped together.

`engine` forms batches of whatever streams have steps, and knows neither torch nor sockets;
`sessions` knows the streams by name; `app` speaks HTTP and WebSocket (docs/serve.md).
"""
