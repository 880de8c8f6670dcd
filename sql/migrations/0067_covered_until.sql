-- What covered_until says: the listing that a starting ingestor asks for is on the tape before it
-- listens, and no longer counts. Writer: ingestor. Readers: the view gap_ledger, people.
-- Safe while the previous build runs: yes (a comment).

comment on column marketdata.tape_positions.covered_until is 'our clock at the newest committed frame or mark of the tape, up to which its streams were listened to; a running ingestor writes one at least every two seconds. Null: it makes no claim (an import, or an older build) [UTC]';
