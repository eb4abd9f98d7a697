"""The WSGI application, for a server of your own: it migrates nothing and starts no worker."""

from kb_app.app import create_app
from kb_app.kb import open_kb
from kb_app.settings import load_settings

application = create_app(open_kb(load_settings()))
