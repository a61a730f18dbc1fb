"""The instance's authority: made once, kept, and made anew when it must be."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.edge import ca

NAMES = ["localhost", "*.s3.example", "127.0.0.1", "::1"]


def names(made: ca.EdgeCertificate) -> list[str]:
    leaf = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in san]


def test_made_once_and_kept(tmp_path: Path) -> None:
    made = ca.ensure(tmp_path, NAMES)
    files = [path.read_bytes() for path in (made.ca, made.certificate, made.private_key)]
    again = ca.ensure(tmp_path, NAMES[:2])
    assert (made.renewed, again.renewed) == (True, False)
    assert files == [path.read_bytes() for path in (again.ca, again.certificate, again.private_key)]
    assert names(made) == NAMES
    authority = x509.load_pem_x509_certificate(made.ca.read_bytes())
    x509.load_pem_x509_certificate(made.certificate.read_bytes()).verify_directly_issued_by(authority)


def test_keys_are_private(tmp_path: Path) -> None:
    made = ca.ensure(tmp_path, NAMES)
    for path in (made.private_key, made.private_key.with_name("ca.key")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.private_key.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.ca.stat().st_mode) == 0o644


def test_a_new_name_renews_the_certificate_not_the_authority(tmp_path: Path) -> None:
    before = ca.ensure(tmp_path, NAMES)
    authority, leaf = before.ca.read_bytes(), before.certificate.read_bytes()
    after = ca.ensure(tmp_path, [*NAMES, "files.example.org"])
    assert after.renewed
    assert after.ca.read_bytes() == authority
    assert after.certificate.read_bytes() != leaf
    assert "files.example.org" in names(after)


@pytest.mark.parametrize("damage", ["missing", "garbage", "foreign key"])
def test_a_damaged_certificate_is_made_anew(tmp_path: Path, damage: str) -> None:
    made = ca.ensure(tmp_path, NAMES)
    if damage == "missing":
        made.certificate.unlink()
    elif damage == "garbage":
        made.certificate.write_text("no certificate")
    else:
        (tmp_path / "other").mkdir()
        made.private_key.write_bytes(ca.ensure(tmp_path / "other", NAMES).private_key.read_bytes())
    assert ca.ensure(tmp_path, NAMES).renewed
    assert not ca.ensure(tmp_path, NAMES).renewed


def test_renewed_before_it_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca, "LEAF_LIFE", ca.RENEW_BEFORE - timedelta(days=1))
    authority = ca.ensure(tmp_path, NAMES).ca.read_bytes()
    monkeypatch.undo()
    made = ca.ensure(tmp_path, NAMES)
    assert made.renewed
    assert made.ca.read_bytes() == authority
