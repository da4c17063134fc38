"""SVG drawn on the server: class names only, coloured by static/css/dashboard.css, so a strict CSP holds. No ORM here."""
