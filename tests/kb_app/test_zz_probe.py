import sys, json
sys.path.insert(0,'/work/main')
import pytest
from tests.kb_app.conftest import *
from tests.kb_app.test_syncing import get
def test_probe(client, key, kb, capsys):
    from kb_app.store import traffic
    from kb_app.store.database import TRAFFIC
    with capsys.disabled():
        for text in ["\ud800退款", "\x00退款", "a\ud83d"]:
            r = client.post("/api/v1/search", data=json.dumps({"query": text}), content_type="application/json", headers=bearer(key))
            print(repr(text), r.status_code, r.get_data(as_text=True)[:200])
            if r.status_code==200:
                with kb.database.read(TRAFFIC) as s: print(traffic.question(s, r.get_json()["query_id"]))
        r = client.post("/api/v1/feedback", data=json.dumps({"query_id": "q_"+"0"*16, "hit_id":"a_public01","event":"sent","note":"x\ud800"}), content_type="application/json", headers=bearer(key)); print(r.status_code, r.get_data(as_text=True)[:200])
        r = client.post("/api/v1/search", data=json.dumps({"query": "退款", "filters":{"category":["\ud800"]}, "context":["\ud800x"]}), content_type="application/json", headers=bearer(key)); print(r.status_code, r.get_data(as_text=True)[:200])
        for d in (b"["*500000, b'{"query":"x","top_k":1e999}', b'{"query":"x","top_k":'+b"9"*6000+b"}", b'{"query":"x","top_k":8.0}', b'{"query":"x","top_k":"8"}',b'{"query":"x","top_k":true}', b'{"query":NaN}', b'{"a":'*100000):
            r = client.post("/api/v1/search", data=d, content_type="application/json", headers=bearer(key)); print(d[:30], r.status_code, r.get_data(as_text=True)[:200])
        print(client.post("/api/v1/search", json={"query":"x"}).get_data(as_text=True))
        print(client.get("/api/v1/search?q=%ff%fe&top_k=abc", headers=bearer(key)).get_data(as_text=True)[:300])
        print(client.get("/api/v1/search?q=%ff%fe", headers=bearer(key)).get_data(as_text=True)[:100])
        print(client.get("/api/v1/scripts?q="+"退"*5000, headers=bearer(key)).status_code)
        print(client.get("/api/v1/scripts?q=%00", headers=bearer(key)).status_code)
        print(client.get("/api/v1/nope", headers=bearer(key)).get_data(as_text=True))
        print(client.get("/api/v1/articles/%00%ff", headers=bearer(key)).get_data(as_text=True))
        print(client.get("/api/v1/categories", headers=bearer(key)).get_data(as_text=True))
