"""DMARC: records, tree walk and public suffixes, alignment, policies; then history, reports and their destinations."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from publicsuffixlist import PublicSuffixList

from mta.emailauth import dmarc_forensic, dmarc_results
from mta.emailauth.asker import TableAsker
from mta.emailauth.dmarc import TEXTS, DmarcResult, author_of, evaluate
from mta.emailauth.dmarc_history import append, history
from mta.emailauth.dmarc_record import DmarcRecord, mail_address, parse_record
from mta.emailauth.dmarc_report import NAMESPACE, compressed, destinations, file_name, report_xml
from mta.emailauth.dmarc_walk import Discovery, steps
from mta.emailauth.spf import SpfResult
from mta.mail.authentication import DkimResult
from mta.mail.headers import Headers

SUFFIXES = PublicSuffixList("com\norg\nco.uk\nuk\n", accept_unknown=False)
SPF_FAIL = SpfResult("fail", "elsewhere.org")


def spf(domain: str, result: str = "pass", *, guessed: bool = False) -> SpfResult:
    return SpfResult(result, domain, guessed=guessed)


def dkim(domain: str, status: str = "pass") -> DkimResult:
    return DkimResult(status, domain, selector="s1")


def judge(table: dict[str, object], author: str = "example.com", spf: SpfResult = SPF_FAIL, *dkims: DkimResult,
          psl: bool = False, draw: float = 0.0) -> DmarcResult:  # fmt: skip
    return evaluate(TableAsker(table), author, spf, dkims, suffixes=SUFFIXES if psl else None, draw=lambda: draw)


RECORDS = [
    ("v=DMARC1; p=reject", ("reject", "", "", "r", "r")),
    ("v=DMARC1;p=none;sp=quarantine;np=reject;adkim=s;aspf=s", ("none", "quarantine", "reject", "s", "s")),
    ("v = DMARC1 ; P = Reject ;", ("reject", "", "", "r", "r")),
    ("v=DMARC1; rua=mailto:a@b.c; p=quarantine", ("quarantine", "", "", "r", "r")),
    ("v=DMARC1; p=reject; unknown=1; ri=5; rf=afrf", ("reject", "", "", "r", "r")),
    ("v=DMARC1; rua=mailto:a@b.c", ("none", "", "", "r", "r")),
    ("v=DMARC1; p=bad; rua=mailto:a@b.c", ("none", "", "", "r", "r")),
    ("v=DMARC1; p=reject; sp=bad; adkim=x", ("reject", "", "", "r", "r")),
    ("v=DMARC1", None),
    ("v=DMARC1; p=bad", None),
    ("v=DMARC1; p=bad; rua=no uri", None),
    ("p=reject; v=DMARC1", None),
    ("v=dmarc1; p=reject", None),
    ("v=DMARC2; p=reject", None),
    ("v=DMARC1; p=reject; p=none", None),
    ("v=DMARC1; p=reject; nonsense", None),
    ("v=DMARC1; p=reject; x" + "y" * 60_000, None),
]


@pytest.mark.parametrize(("text", "tags"), RECORDS, ids=[text[:40] for text, _ in RECORDS])
def test_dmarc_records(text: str, tags: tuple[str, ...] | None) -> None:
    found = parse_record(text)
    assert (None if found is None else (found.p, found.sp, found.np, found.adkim, found.aspf)) == tags


def test_dmarc_uris_lose_their_size_limits() -> None:
    found = parse_record("v=DMARC1; p=none; rua=mailto:A@b.c!10m, https://x.y/z ,,bad uri; ruf=mailto:f@b.c")
    assert found is not None
    assert (found.rua, found.ruf) == (["mailto:A@b.c", "https://x.y/z"], ["mailto:f@b.c"])
    assert [mail_address(uri) for uri in found.rua] == ["a@b.c", ""]
    assert mail_address("mailto:a@b.c\nBcc:x@y.z") == ""


def test_dmarc_tree_walk_asks_eight_names_at_most() -> None:
    assert steps("a.b.c") == ["a.b.c", "b.c", "c"]
    assert steps("com") == ["com"]
    assert steps("a.b.c.d.e.f.g") == ["a.b.c.d.e.f.g", "b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g", "g"]
    long = steps("1.2.3.4.5.6.7.8.9.10.11.12")
    assert long[:2] == ["1.2.3.4.5.6.7.8.9.10.11.12", "6.7.8.9.10.11.12"]
    assert len(long) == len(steps("a.b.c.d.e.f.g.h")) == 8


ORGANIZATIONS = [
    ({}, "a.b.example.com", "a.b.example.com"),  # nobody publishes: itself
    ({"_dmarc.example.com": "v=DMARC1; p=none"}, "a.b.example.com", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=none", "_dmarc.b.example.com": "v=DMARC1; p=none"}, "a.b.example.com",
     "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=none", "_dmarc.b.example.com": "v=DMARC1; p=none; psd=n"}, "a.b.example.com",
     "b.example.com"),
    ({"_dmarc.com": "v=DMARC1; p=none; psd=y"}, "a.b.example.com", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=none; psd=y", "_dmarc.com": "v=DMARC1; p=none"}, "example.com", "example.com"),
    ({"_dmarc.example.com": ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "_dmarc.com": "v=DMARC1; p=none"},
     "a.example.com", "com"),
    ({"_dmarc.example.com": ["v=DMARC1; p=none", "v=spf1 -all"]}, "a.example.com", "example.com"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "name", "organization"), ORGANIZATIONS)
def test_dmarc_organizational_domain_by_the_tree(table: dict[str, object], name: str, organization: str) -> None:
    assert Discovery(TableAsker(table)).organization(name) == organization


def test_dmarc_01_organizational_domain_by_public_suffixes() -> None:
    search = Discovery(TableAsker({}), SUFFIXES)
    assert search.organization("a.b.example.co.uk") == "example.co.uk"
    assert search.method == "psl"
    assert Discovery(TableAsker({})).method == "treewalk"


BASE = {"_dmarc.example.com": "v=DMARC1; p=reject; sp=quarantine; np=none", "sub.example.com": "x"}
POLICY_CASES = [
    (BASE, "example.com", "reject", "example.com"),
    (BASE, "sub.example.com", "quarantine", "example.com"),
    (BASE, "gone.example.com", "none", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=reject", "sub.example.com": "x"}, "sub.example.com", "reject", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=none; np=reject"}, "gone.example.com", "reject", "example.com"),
    ({"_dmarc.com": "v=DMARC1; p=none; sp=quarantine; psd=y", "a.example.com": "x"}, "a.example.com", "quarantine",
     "com"),
    ({**BASE, "_dmarc.sub.example.com": "v=DMARC1; p=none"}, "sub.example.com", "none", "sub.example.com"),
    ({}, "example.com", "norecord", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=reject; t=y"}, "example.com", "quarantine", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=quarantine; t=y"}, "example.com", "none", "example.com"),
    ({"_dmarc.example.com": "v=DMARC1; p=reject; pct=0"}, "example.com", "reject", "example.com"),
    ({"_dmarc.example.com": "SERVFAIL"}, "example.com", "temperror", "example.com"),
    ({"_dmarc.example.com": "SERVFAIL"}, "sub.example.com", "temperror", "sub.example.com"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "author", "status", "used"), POLICY_CASES)
def test_dmarc_06_policies(table: dict[str, object], author: str, status: str, used: str) -> None:
    found = judge(table, author)
    assert (found.status, found.used_domain) == (status, used)


def test_dmarc_07_the_declared_policy_is_not_the_milder_one() -> None:
    found = judge({"_dmarc.example.com": "v=DMARC1; p=reject; t=y"})
    assert (found.policy, found.status, found.sampled_out) == ("reject", "quarantine", True)
    assert judge({"_dmarc.example.com": "SERVFAIL"}).policy == judge({}).policy == ""


def test_dmarc_17_pct_counts_with_public_suffixes() -> None:
    table: dict[str, object] = {"_dmarc.example.com": "v=DMARC1; p=reject; pct=30"}
    assert judge(table, psl=True, draw=0.29).status == "reject"
    assert judge(table, psl=True, draw=0.31).status == "quarantine"


ALIGNMENT = [
    (spf("example.com"), (), "", True, False),
    (spf("Bounce.Example.COM"), (), "", True, False),
    (spf("bounce.example.com"), (), "aspf=s", False, False),
    (spf("example.com"), (), "aspf=s", True, False),
    (spf("example.com", "softfail"), (), "", False, False),
    (spf("example.com", guessed=True), (), "", False, False),
    (spf("notexample.com"), (), "", False, False),
    (spf("other.org"), (dkim("example.com"),), "", False, True),
    (spf("other.org"), (dkim("mail.example.com"),), "adkim=s", False, False),
    (spf("other.org"), (dkim("example.com", "fail"),), "", False, False),
    (spf("other.org"), (dkim("other.org"), dkim("mail.example.com")), "", False, True),
    (spf("com"), (dkim("com"),), "", False, False),
]


@pytest.mark.parametrize(("by_spf", "by_dkim", "tags", "spf_aligned", "dkim_aligned"), ALIGNMENT)
@pytest.mark.parametrize("psl", [False, True])
def test_dmarc_alignment(
    by_spf: SpfResult, by_dkim: tuple[DkimResult, ...], tags: str, spf_aligned: bool, dkim_aligned: bool, psl: bool
) -> None:
    found = judge({"_dmarc.example.com": f"v=DMARC1; p=reject; {tags}"}, "example.com", by_spf, *by_dkim, psl=psl)
    assert (found.spf_aligned, found.dkim_aligned) == (spf_aligned, dkim_aligned)
    assert found.status == ("accept" if spf_aligned or dkim_aligned else "reject")


def test_dmarc_a_thousand_signatures_cost_few_questions() -> None:
    asked: list[str] = []

    class Counting(TableAsker):
        def query(self, name: str, rdtype: str, **more: object):  # type: ignore[no-untyped-def,override]
            asked.append(name)
            return super().query(name, rdtype)

    asker = Counting({"_dmarc.example.com": "v=DMARC1; p=reject; psd=n"})
    many = [dkim(f"d{n}.b{n}.example.com") for n in range(1000)] + [dkim(f"x{n}.org") for n in range(1000)]
    asker._table |= {f"_dmarc.b{n}.example.com": "v=DMARC1; p=none; psd=n" for n in range(1000)}
    started = time.process_time()
    assert evaluate(asker, "example.com", SPF_FAIL, many).status == "reject"
    assert len(asked) < 60
    assert time.process_time() - started < 1


AUTHORS = [
    (["From: A <a@Example.COM>"], "example.com"),
    (["From: a@example.com, b@example.com"], "example.com"),
    (["From: a@example.com, b@other.org"], ""),
    (["From: a@example.com", "From: a@example.com"], ""),
    (["From: \"x@evil.org\" <a@example.com>"], "example.com"),
    (["From: Group: a@example.com;"], "example.com"),
    (["From: a@[192.0.2.1]"], ""),
    (["From: local"], ""),
    (["From: a@localhost"], ""),
    (["From: a@b\xc3\xbccher.example"], "xn--bcher-kva.example"),
    (["From: \x00"], ""),
    (["To: a@b.c"], ""),
    (["From: " + "a@example.com, " * 20000 + "a@example.com"], ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "domain"), AUTHORS, ids=range(len(AUTHORS)))
def test_dmarc_author_domain(lines: list[str], domain: str) -> None:
    headers = Headers()
    for line in lines:
        headers.add(line)
    found, why = author_of(headers)
    assert found == domain
    assert bool(why) == (not domain)


def test_dmarc_08_texts() -> None:
    assert TEXTS == {
        "norecord": "No DMARC record", "nofrom": "No From: domain found", "none": "None, Accept", "accept": "Accept",
        "reject": "Reject", "quarantine": "Quarantine", "temperror": "Internal Policy Error", "off": "Off",
    }  # fmt: skip


FAILED = DmarcResult(
    "quarantine", "example.com", "quarantine",
    DmarcRecord("quarantine", sp="none", rua=["mailto:a@example.com"], ruf=["mailto:F@example.com", "https://x/"],
                adkim="s", domain="example.com"),
    "example.com", SpfResult("softfail", "bounce.org"), [dkim("bounce.org"), dkim("example.com", "fail")],
)  # fmt: skip


def test_dmarc_11_12_history_record() -> None:
    text = history(
        FAILED, job="1abc-def-00", reporter="mx.test", received=1795399866, ip="192.0.2.1", mail_from="bounce.org"
    )
    assert text == (
        "job 1abc-def-00\nreporter mx.test\nreceived 1795399866\nipaddr 192.0.2.1\nfrom example.com\nmfrom bounce.org\n"
        "spf 2\ndkim bounce.org s1 0\ndkim example.com s1 7\npdomain example.com\npolicy 17\nrua mailto:a@example.com\n"
        "pct 100\nadkim 115\naspf 114\np 113\nsp 110\nalign_dkim 5\nalign_spf 5\naction 4\n"
    )


def test_dmarc_11_history_without_addresses() -> None:
    plain = DmarcResult("accept", "e.com", "none", DmarcRecord("none", domain="e.com"), spf=None, spf_aligned=True)
    text = history(plain, job="j", reporter="r", received=1, ip="::1", mail_from="")
    assert "rua -\n" in text
    assert "\nspf " not in text
    assert text.endswith("sp 0\nalign_dkim 5\nalign_spf 4\naction 2\n")


def test_dmarc_02_history_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "history"
    append(str(path), "job 1\n")
    append(str(path), "job 2\n")
    assert path.read_text() == "job 1\njob 2\n"
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError):
        append(str(tmp_path / "link"), "x")


FACTS = dmarc_forensic.Facts(
    "192.0.2.1", 1795399866.0, "From: a@example.com\nSubject: x\n", "b@bounce.org", "id", "mx.test"
)


def test_dmarc_13_text_report() -> None:
    head, body = dmarc_forensic.text_report(FAILED, FACTS, "dmarc@mx.test", "f@example.com")
    assert "Subject: DMARC Forensic Report for example.com from IP 192.0.2.1\n" in head
    lines = body.split("\n")
    assert lines[:3] == [
        "A message claiming to be from you has failed the published DMARC", "policy for your domain.", ""
    ]  # fmt: skip
    names = [line.partition(":")[0] for line in lines if line.startswith("  ")]
    assert names == ["  Sender Domain", "  Sender IP Address", "  Received Date", "  SPF Alignment", "  DKIM Alignment",
                     "  DMARC Results"]  # fmt: skip
    assert body.endswith("From: a@example.com\nSubject: x\n")
    assert dmarc_forensic.addresses(FAILED) == ["f@example.com"]


def test_dmarc_13_arf_report() -> None:
    head, body = dmarc_forensic.arf_report(FAILED, FACTS, "dmarc@mx.test", "f@example.com", "BB")
    assert "report-type=feedback-report" in head
    for line in (
        "Feedback-Type: auth-failure",
        "Auth-Failure: dmarc",
        "Reported-Domain: example.com",
        "Source-IP: 192.0.2.1",
    ):
        assert f"{line}\n" in body
    assert body.count("--BB\n") == 3
    assert body.endswith("\n--BB--\n")


DUE = [
    ("quarantine", "quarantine", "0", True), ("reject", "reject", "1", True), ("reject", "quarantine", "0", False),
    ("none", "none", "0", False), ("reject", "accept", "0", False), ("reject", "reject", "d", True),
    ("reject", "reject", "s", True), ("reject", "reject", "d:s", True),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "status", "fo", "due"), DUE)
def test_dmarc_13_when_a_report_is_due(policy: str, status: str, fo: str, due: bool) -> None:
    record = DmarcRecord(policy, ruf=["mailto:a@b.c"], fo=fo)
    found = DmarcResult(status, "b.c", policy, record, spf=SPF_FAIL, dkim=[dkim("b.c", "fail")])
    assert dmarc_forensic.is_due(found) is due
    record.ruf = []
    assert not dmarc_forensic.is_due(found)


def test_dmarc_17_fo_narrows() -> None:
    record = DmarcRecord("reject", ruf=["mailto:a@b.c"], fo="d")
    assert not dmarc_forensic.is_due(DmarcResult("reject", "b.c", "reject", record, spf=SPF_FAIL))


def test_dmarc_aggregate_results_and_xml(tmp_path: Path) -> None:
    path = str(tmp_path / "dmarc.sqlite")
    for received in (1000, 1001, 5000):
        dmarc_results.keep(path, FAILED, ip="192.0.2.1", received=received, mail_from="bounce.org")
    good = DmarcResult("accept", "example.com", "quarantine", FAILED.record, "example.com", spf("example.com"), [],
                       spf_aligned=True)  # fmt: skip
    dmarc_results.keep(path, good, ip="2001:db8::1", received=1002, mail_from="example.com")
    silent = DmarcResult("none", "silent.org", "none", DmarcRecord("none", domain="silent.org"))
    dmarc_results.keep(path, silent, ip="192.0.2.9", received=1003, mail_from="x")
    assert dmarc_results.domains(path, 0, 2000) == ["example.com"]
    published, rows = dmarc_results.rows(path, "example.com", 0, 2000)
    assert [(row.count, row.disposition, row.spf) for row in rows] == [(2, "quarantine", "fail"), (1, "pass", "pass")]
    document = report_xml(published, rows, organization="mx.test", email="d@mx.test", report_id="r1", begin=0, end=1999)
    top = ElementTree.fromstring(document)  # noqa: S314 (our own)
    space = {"d": NAMESPACE}
    assert top.tag == f"{{{NAMESPACE}}}feedback"
    policy = top.find("d:policy_published", space)
    assert policy is not None
    assert {child.tag.partition("}")[2]: child.text for child in policy} == {
        "domain": "example.com", "discovery_method": "treewalk", "p": "quarantine", "sp": "none", "fo": "0",
        "adkim": "s", "aspf": "r", "testing": "n",
    }  # fmt: skip
    assert [found.text for found in top.findall("d:record/d:row/d:count", space)] == ["2", "1"]
    assert [found.text for found in top.findall("d:record/d:auth_results/d:dkim/d:result", space)] == ["pass", "fail"]
    dmarc_results.forget(path, "example.com", 0, 2000)
    assert dmarc_results.domains(path, 0, 2000) == []
    assert dmarc_results.domains(path, 0, 9000) == ["example.com"]
    assert gzip.decompress(compressed(document)) == document
    assert file_name("mx.test", "example.com", 0, 1999) == "mx.test!example.com!0!1999.xml.gz"


def test_dmarc_reports_to_strangers_need_their_word() -> None:
    table = {
        "_dmarc.example.com": "v=DMARC1; p=none",
        "example.com._report._dmarc.collector.org": "v=DMARC1",
        "example.com._report._dmarc.other.org": "something else",
    }
    uris = ["mailto:A@example.com", "mailto:b@sub.example.com", "mailto:c@collector.org", "mailto:d@other.org",
            "mailto:e@unasked.net", "https://example.com/"]  # fmt: skip
    good, refused = destinations("example.com", uris, Discovery(TableAsker(table)))
    assert good == ["a@example.com", "b@sub.example.com", "c@collector.org"]
    assert refused == ["d@other.org", "e@unasked.net"]


def test_dmarc_12_invalid_signatures_are_errors_of_a_kind() -> None:
    record = DmarcRecord("none", domain="e.com")
    signatures = [
        DkimResult("invalid", "e.com"),
        DkimResult("invalid", "e.com", temporary=True),
        DkimResult("odd", "e.com"),
    ]
    found = DmarcResult("none", "e.com", "none", record, dkim=signatures)
    lines = history(found, job="j", reporter="r", received=1, ip="::1", mail_from="").splitlines()
    assert [line for line in lines if line.startswith("dkim ")] == ["dkim e.com 5", "dkim e.com 4", "dkim e.com 11"]
