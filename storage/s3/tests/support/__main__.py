"""Write the table into docs/s3.md."""

from storage.s3.tests import support

support.DOCUMENT.write_text(support.written(support.DOCUMENT.read_text()))
