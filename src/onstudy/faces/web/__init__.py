"""The web site: pages for people, and what they share. `app.create_app` puts it together; `serve` runs it."""
