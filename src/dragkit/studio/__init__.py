"""The studio: editing by hand in the browser. `app.build` makes the server, `dragkit studio` starts it."""
