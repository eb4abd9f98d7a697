"""Alembic's entry: migrates the database file whose connection it is given."""

from alembic import context

from kb_app.store.tables import Knowledge, Traffic

half = context.config.attributes["half"]
connection = context.config.attributes["connection"]
metadata = {"knowledge": Knowledge.metadata, "traffic": Traffic.metadata}[half]

context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
