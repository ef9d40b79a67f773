"""Commands beside the server: `normscope backup`, `migrate` and `token`."""
