"""Frames in, and frames out: taken from training processes, kept as history, shown live and asked for again.

Messages are JSON, frames come as bytes. The browser says

- `{"type": "watch", "runs": [id, …], "after": {id: seq, …}}`: which runs to tell of, in place of those before; `runs`
  may be empty, and `after`, which may be left out, says what of them it has;
- `{"type": "list"}`: to be told of every run that changes, which a link does not allow;
- `{"type": "ping"}`: that it has heard nothing for a while; it gives up a line on which no `pong` comes back.

The server says

- `{"type": "run", "run": {…}}`: a watched run has changed, as `GET /api/runs/{id}` has it; after `list` any, in short;
- `{"type": "skipped", "run": id, "first": a, "last": b}`: frames a to b will not come by this socket, which
  `GET /api/runs/{id}/history` has;
- `{"type": "error", "message": "one sentence"}`, and `{"type": "pong"}`;
- bytes: u8 the index of the run in the last `watch`, u8 how many `watch` messages there have been, modulo 256, then
  frames, each behind its length as u32.

With `?link=TOKEN` only the link's runs can be watched.
"""
