"""Who gets in, and how far: roles, tokens, links, limits of rates, and what stands before every route."""
