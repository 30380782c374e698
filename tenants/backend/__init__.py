"""The database backend of this project: PostgreSQL with a search path per company that fails closed."""
