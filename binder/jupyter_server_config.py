"""What Jupyter's server is set to, here and on Binder; JUPYTER_CONFIG_PATH in the Makefile and in binder/start finds it."""

c = get_config()  # noqa: F821

# An upload is one message over the websocket, and Tornado's default of 10 MiB would cut the connection.
c.ServerApp.tornado_settings.update({"websocket_max_message_size": 64 * 1024 * 1024})
