"""Series that the machine of the test cannot have, or the programs do not export yet. A family that a real page shows is never replaced.

Each entry: series -> (value at the start, change a second).
"""


def histogram(name, labels, bounds, rate=5.0):
    """Observations spread evenly over the buckets."""
    join = labels + "," if labels else ""
    part = rate / len(bounds)
    out = {'%s_bucket{%sle="%g"}' % (name, join, b): (0, part * (i + 1)) for i, b in enumerate(bounds)}
    out['%s_bucket{%sle="+Inf"}' % (name, join)] = (0, rate)
    out["%s_count{%s}" % (name, labels)] = (0, rate)
    out["%s_sum{%s}" % (name, labels)] = (0, part * sum(bounds))
    return out


# No card here; NVML is tested against a fake library elsewhere.
CARD = {
    'steer_gpu_memory_bytes{kind="allocated"}': (4.1e9, 1e6), 'steer_gpu_memory_bytes{kind="reserved"}': (4.6e9, 0),
    'steer_gpu_memory_bytes{kind="driver_used"}': (5.2e9, 1e6), 'steer_gpu_memory_bytes{kind="driver_total"}': (8.6e9, 0),
    "steer_gpu_utilization_ratio{}": (0.8, 0.002), "steer_gpu_temperature_celsius{}": (62, 0.3), "steer_gpu_power_watts{}": (140, 1),
    "steer_gpu_energy_joules_total{}": (0, 150),
}

FAST = (0.01, 0.05, 0.1, 0.5, 1)

SERVER = {"process_max_fds{}": (20000, 0)}

# Pushed with the run, so they take the experiment's job and experiment labels.
PUSHED = {
    "steer_experiment_cells_done_total{}": (3, 1), 'steer_experiment_rpc_retries_total{method="Evaluate",code="UNAVAILABLE"}': (0, 0),
    'steer_experiment_server_up{server="127.0.0.1"}': (1, 0), **histogram("steer_experiment_cell_seconds", 'stage="test"', FAST),
    **{'steer_experiment_swing{seed="0",layer="%d"}' % layer: (0.1 + 0.2 * (layer % 4), 0) for layer in range(8)},
}
NOW = ("steer_clock_timestamp_seconds", "steer_experiment_progress_timestamp_seconds")

# Only the scrape endpoint of steerctl has these.
CLIENT = {'steer_push_total{result="ok"}': (0, 1), 'steer_push_total{result="failed"}': (0, 0), **histogram("steer_push_seconds", "", FAST)}

# Panels and rules that are empty when all is well, with the reason.
EMPTY = {
    "Calls that failed": "no call fails in a good run",
    "Since last progress": "shown while a run goes on; a short run may end between two scrapes",
}
