"""Reading files: compression, encodings, delimited text, tables; whatever they hold."""
