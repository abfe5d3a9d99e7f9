"""Charts as inline SVG: no script, and colours of the page, so that they follow its scheme."""
