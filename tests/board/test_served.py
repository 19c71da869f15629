"""The board's page of a server of live streams: names as text, figures that follow, its absence."""

import pytest
from axe import needs_axe, violations
from board_server import ODD_NAME, end, needs_chromium, start
from saved_models import save_model
from served import Served

from carousel.client import Client

for package in ("nicegui", "starlette", "msgpack", "playwright.sync_api"):
    pytest.importorskip(package)
pytestmark = needs_chromium


@pytest.mark.slow
def test_the_page_follows_the_server_and_says_when_it_is_gone(chromium, tmp_path):
    (tmp_path / "frames").mkdir()
    save_model(tmp_path / "frames", "label_frames")
    server = Served(tmp_path / "served", f"frames={tmp_path / 'frames'}")
    log = tmp_path / "log"
    process, board = start(log, tmp_path, "--port", "0", "--server", server.url)
    page = chromium.new_page(locale="ko-KR")
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with Client(server.url) as client:
        client.stream("frames", ODD_NAME[:60]).steps([[0.5, 1.0]] * 7)
        page.goto(board)
        page.get_by_role("link", name="실시간 스트림").click()
        page.get_by_text(ODD_NAME[:60]).wait_for()
        client.stream("frames", "b").steps([[0.5, 1.0]] * 5)
        page.get_by_role("row", name="b 5").wait_for()
        assert "frames · label_frames" in page.locator(".page").inner_text()
        assert page.locator("main img").count() == 0
    assert server.end() == 0
    page.get_by_text("서버가 응답하지 않습니다").wait_for()
    page.close()
    assert complaints == []
    end(process, log)


@needs_axe
@pytest.mark.slow
def test_pages_of_live_streams_keep_nobody_out(chromium, tmp_path):
    """The board's, and those of the server itself, in light and dark."""
    (tmp_path / "frames").mkdir()
    save_model(tmp_path / "frames", "label_frames")
    server = Served(tmp_path / "served", f"frames={tmp_path / 'frames'}")
    log, wrong = tmp_path / "log", {}
    process, board = start(log, tmp_path, "--port", "0", "--server", server.url)
    with Client(server.url) as client:
        client.stream("frames", "pump-1").steps([[0.5, 1.0]] * 7)
    for theme in ("light", "dark"):
        context = chromium.new_context(color_scheme=theme, locale="en-GB", bypass_csp=True)
        page = context.new_page()
        for address in (f"{board}served", server.url, f"{server.url}docs"):
            page.goto(address)
            page.get_by_text("pump-1" if "docs" not in address else "/healthz").first.wait_for()
            if found := violations(page):
                wrong[theme, address.removeprefix(board).removeprefix(server.url)] = found
        context.close()
    assert server.end() == 0
    end(process, log)
    assert wrong == {}
