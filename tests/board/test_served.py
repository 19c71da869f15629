"""The board's page of a server of live streams: names as text, figures that follow, its absence."""

import pytest
from board_server import CHROMIUM, ODD_NAME, end, start
from saved_models import save_model
from served import Served

from carousel.client import Client

for package in ("nicegui", "starlette", "msgpack", "playwright.sync_api"):
    pytest.importorskip(package)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


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
