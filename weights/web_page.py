"""Reading the page that comes in place of a large file: Google Drive's question whether to go on.

Drive does not scan large files for viruses and asks first: a page with a form `download-form`,
whose hidden fields are the rest of the address. Any other page (a quota, a sign-in) has no such
form, and is told by its title.
"""

from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

_FORMS = ("download-form", "downloadForm")  # the second until November 2022 (gdown, pull 224)
_DRIVE = ".google.com"


class WebPage(HTMLParser):
    """A page's title, and the address that its download form leads to.

    Args:
        text: The page, or its beginning.
        url: Where it came from.
    """

    def __init__(self, text: str, url: str) -> None:
        super().__init__()
        self.title = ""
        self._url = url
        self._action: str | None = None
        self._fields: list[tuple[str, str]] = []
        self._inside: str | None = None  # "title" or "form"
        self.feed(text)

    def address(self) -> str | None:
        """Return where the form's answer is had by GET; None without a form to be trusted.

        Only the page's own host is followed, or Google's from Google's.
        """
        if self._action is None:
            return None
        whole = urlsplit(urljoin(self._url, self._action))
        page = urlsplit(self._url)
        among_googles = all(f".{part.hostname}".endswith(_DRIVE) for part in (whole, page))
        if whole.scheme != page.scheme or not (whole.netloc == page.netloc or among_googles):
            return None
        fields = dict(parse_qsl(whole.query) + self._fields)
        return urlunsplit((whole.scheme, whole.netloc, whole.path, urlencode(fields), ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take up the title, the form and its hidden fields."""
        found = {name: value or "" for name, value in attrs}
        if tag == "title" and not self.title:
            self._inside = "title"
        elif tag == "form" and found.get("id") in _FORMS and self._action is None:
            self._inside, self._action = "form", found.get("action", "")
        elif tag == "input" and self._inside == "form" and found.get("type") == "hidden":
            self._fields.append((found.get("name", ""), found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        """Leave the title or the form."""
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        """Collect the title's text."""
        if self._inside == "title":
            self.title = " ".join(f"{self.title} {data}".split())[:100]
