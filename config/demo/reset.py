"""`python -m config.demo.reset`: deletes the demo's database, files and keys, so that the next start begins anew."""

import sys

from config import embedded


def main() -> None:
    try:
        embedded.destroy()
    except embedded.EmbeddedServerError as error:
        sys.exit(str(error))
    print("The demo's data is deleted. make demo starts over.")


if __name__ == "__main__":
    main()
