"""The templates of HTML output; a package so that they are installed."""
