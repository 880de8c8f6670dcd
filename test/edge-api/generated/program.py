"""Reads quotes through the generated client: python3 program.py URL FROM"""
import json
import sys
from urllib.parse import parse_qs, urlsplit

import booktape_client
from booktape_client.rest import ApiException

configuration = booktape_client.Configuration(host=sys.argv[1])
# This version of the generator does not set it.
configuration.access_token = None
with booktape_client.ApiClient(configuration) as client:
    api = booktape_client.MarketDataApi(client)
    print("mid", api.latest_quote("BTCUSDT").mid)

    cursor = None
    while True:
        place = {} if cursor is None else {"cursor": cursor}
        page = api.list_quotes("BTCUSDT", _from=sys.argv[2], limit=2, **place)
        print("ids", *(quote.update_id for quote in page.rows))
        if page.next is None:
            break
        cursor = parse_qs(urlsplit(page.next).query)["cursor"][0]

    stats = booktape_client.CollectorApi(client).symbol_stats()
    print("seconds", stats.symbols[0].last_update)

    try:
        api.latest_quote("NOSUCH")
    except ApiException as error:
        print("problem", error.status, json.loads(error.body)["type"])
