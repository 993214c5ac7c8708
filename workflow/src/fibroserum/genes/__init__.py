"""Gene identity: what ids look like, the bundled human table, mapping, gene sets."""
