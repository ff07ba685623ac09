"""The edits that tests/server/steering, tests/server/engine and tests/parity/edits compare with transformers hooks. A case is a list of ops:

  kind        ablate  x - amount R R^T x, R the orthonormalised directions
              add     x + amount r
              set     x + r_hat (amount - <r_hat, x>)
              linear  x + v (amount - <u, x>) with v and u the first and second direction as units: U and V differ, as in rank-one LEACE
  directions  indices into the file's directions
  sites       as in a model of three blocks (0 to 6), or ALL; deeper models take their first, middle and last block for the three
  target      stream: x after the write; write: what embedding, attention or MLP adds, after any post-norm
  scope       all, prompt, generated, last (the last `last` prompt tokens and all generated ones)

At a site, what acts on the write comes before what acts on the stream; within a target ablations and sets come first, then additions,
whatever the order of the list.
"""
ALL = "all"


def op(kind, directions, amount, sites, target="stream", scope="all", last=0):
    return {"kind": kind, "directions": directions, "amount": amount, "sites": sites, "target": target, "scope": scope, "last": last}


EIGHT = list(range(8))
CASES = {
    "plain": [],
    # alpha = 0.5, 1 and 2 on the write at every site, and on one.
    "write_half": [op("ablate", [0], 0.5, ALL, "write")],
    "write_full": [op("ablate", [0], 1, ALL, "write")],
    "write_twice": [op("ablate", [0], 2, ALL, "write")],
    "write_twice_one": [op("ablate", [1], 2, [5], "write")],
    # alpha = 0.5, 1 and 2 on the stream; other than 1 only at one site, where nothing compounds.
    "stream_half": [op("ablate", [0], 0.5, [4])],
    "stream_full": [op("ablate", [0], 1, ALL)],
    "stream_full_one": [op("ablate", [0], 1, [3])],
    "stream_twice": [op("ablate", [0], 2, [1])],
    # K = 2 and 8.
    "stream_full_2": [op("ablate", [0, 1], 1, ALL)],
    "stream_full_8": [op("ablate", EIGHT, 1, ALL)],
    "write_half_8": [op("ablate", EIGHT, 0.5, ALL, "write")],
    "write_twice_2": [op("ablate", [0, 1], 2, ALL, "write")],
    "add_stream": [op("add", [0], 1.5, [2])],
    "add_write": [op("add", [1], -0.75, [1, 6], "write")],
    "set_stream": [op("set", [0], 3, [2, 4])],
    "set_all": [op("set", [0], -2.5, ALL)],
    "set_write": [op("set", [2], 1.25, [0, 3], "write")],
    "linear_stream": [op("linear", [1, 2], 0.5, [2, 3])],
    "linear_write": [op("linear", [3, 4], -0.25, ALL, "write")],
    # Other directions at other sites of one entry.
    "other_sites": [op("ablate", [0], 1, [0, 1, 2]), op("ablate", [1, 5], 1, [3, 4]), op("add", [2], 0.6, [5]),
                    op("ablate", [3], 0.5, [6], "write")],
    # Listed against the order in which they act; what is added along an ablated direction stays.
    "order": [op("add", [2], 0.8, [2, 4]), op("ablate", [0, 1], 1, [2, 4]), op("add", [0], -0.5, [4])],
    "two_targets": [op("ablate", [1], 1, ALL), op("ablate", [0], 0.5, ALL, "write")],
    "prompt_only": [op("ablate", [0], 1, ALL, scope="prompt")],
    "generated_only": [op("ablate", [0], 1, ALL, scope="generated"), op("add", [1], 0.5, [4], scope="generated")],
    "last_3": [op("ablate", [0], 2, ALL, "write", scope="last", last=3)],
    "mixed_scopes": [op("add", [0], 0.7, [2], scope="prompt"), op("ablate", [1], 1, ALL, scope="generated"),
                     op("ablate", [2], 0.5, ALL, "write", scope="last", last=3)],
}


def for_model(ops, layers):
    """The ops with every site named, for a model of `layers` blocks."""
    block = [0, layers // 2, layers - 1]

    def site(s):
        return 0 if s == 0 else 2 * block[(s - 1) // 2] + 2 - s % 2
    sites = {ALL: list(range(2 * layers + 1))}
    return [{**o, "sites": sites[ALL] if o["sites"] == ALL else [site(s) for s in o["sites"]]} for o in ops]
