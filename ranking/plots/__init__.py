"""SVG drawn on the server: class names only, coloured by static/css/dashboard.css. No ORM here."""
