"""`python -m kb_app` and the installed `kb` command are the same thing."""

from kb_app.cli import main

if __name__ == "__main__":
    main()
