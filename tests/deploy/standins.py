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

ARMS = (("ablate", "fitted"), ("ablate", "control"), ("add", "fitted"), ("add", "control"))
FAST = (0.01, 0.05, 0.1, 0.5, 1)

SERVER = {
    'steer_queued_calls{method="Evaluate"}': (2, 0), "steer_queue_calls_capacity{}": (64, 0), "steer_queued_tokens{}": (3000, 50),
    "steer_queue_tokens_capacity{}": (65536, 0), "steer_queued_bytes{}": (20000, 0), "steer_queue_bytes_capacity{}": (6.4e7, 0),
    'steer_row_finish_total{kind="evaluate",reason="certain"}': (0, 3), 'steer_row_finish_total{kind="evaluate",reason="length"}': (0, 1),
    'steer_refused_interventions_total{reason="violation"}': (0, 0.1), 'steer_fits_total{result="fitted"}': (0, 0.1),
    'steer_fits_total{result="cached"}': (0, 0.2), "steer_directions{}": (2, 0), "steer_direction_store_bytes{}": (2.5e6, 0),
    "steer_store_free_bytes{}": (5e10, 0), "steer_kv_tokens_capacity{}": (16384, 0), 'steer_memory_bytes{kind="weights"}': (3.1e9, 0),
    'steer_memory_bytes{kind="kv_arena"}': (8e8, 0), 'steer_memory_bytes{kind="work"}': (5e8, 0), 'steer_memory_bytes{kind="limit"}': (6.9e9, 0),
    "steer_model_load_seconds{}": (0.4, 0), "steer_draining{}": (0, 0), "steer_out_of_memory_total{}": (0, 0), "steer_batch_halvings_total{}": (0, 0),
    "steer_device_errors_total{}": (0, 0), 'steer_idempotent_replays_total{method="Evaluate"}': (0, 0.1),
    'steer_authentication_failures_total{reason="missing"}': (0, 0), 'steer_tls_reloads_total{result="failed"}': (0, 0),
    'steer_audit_records_total{result="failed"}': (0, 0), 'steer_canary_runs_total{result="failed"}': (0, 0), "process_max_fds{}": (20000, 0),
    **histogram("steer_queue_wait_seconds", 'method="Evaluate"', FAST), **histogram("steer_row_prefill_seconds", 'arm_kind="ablate"', FAST),
    **histogram("steer_time_to_first_token_seconds", 'arm_kind="ablate"', FAST), **histogram("steer_inter_token_seconds", 'arm_kind="ablate"', FAST),
    **histogram("steer_row_decode_seconds", 'arm_kind="ablate"', FAST), **histogram("steer_rows_per_step", 'kind="decode"', (1, 2, 4, 8)),
    **histogram("steer_interventions_per_step", 'kind="decode"', (1, 2, 4, 8)), **histogram("steer_ablation_residual_ratio", "", (1e-8, 1e-7, 1e-6)),
    **histogram("steer_fit_phase_seconds", 'phase="forward"', FAST),
}
for arm_kind, direction in ARMS:
    words = 'arm_kind="%s",direction="%s"' % (arm_kind, direction)
    SERVER["steer_edited_rows_total{%s}" % words] = (0, 4)
    SERVER.update(histogram("steer_dose_ratio", words, (0.01, 0.1, 1)))
    SERVER.update(histogram("steer_baseline_kl_nats", words, (0.01, 0.1, 1)))

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
