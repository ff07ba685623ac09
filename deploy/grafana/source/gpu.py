"""GPU and process: memory, the card, the KV arena, descriptors, life."""
from panels import FILL, UP, ZERO_IS_GOOD, dashboard, graph, serving_variables, stat, steps

HOT = steps((None, "green"), (80, "orange"), (85, "red"))

NOW = [
    stat("Scraped", "1 if Prometheus reached the server.", "none", [("up{@}", "{{instance}}")], thresholds=UP,
         words={0: ("no", "red"), 1: ("yes", "green")}),
    stat("Engine heartbeat", "Seconds since the engine thread finished a step or was idle. Over 60 it hangs.", "s",
         ["max(steer_clock_timestamp_seconds{@} - steer_engine_heartbeat_timestamp_seconds{@})"],
         thresholds=steps((None, "green"), (10, "orange"), (60, "red"))),
    stat("Up for", "Since the process started.", "s", ["min(steer_clock_timestamp_seconds{@} - process_start_time_seconds{@})"]),
    stat("Load time", "From start to ready weights.", "s", ["max(steer_model_load_seconds{@})"]),
    stat("KV arena", "Tokens of the KV arena in use, of all.", "percentunit", ["max(instance:steer_kv_fill:ratio{@})"], thresholds=FILL),
    stat("Device errors", "Errors after which the device is not usable; the process ends with code 70.", "short",
         ["sum(steer_device_errors_total{@})"], thresholds=ZERO_IS_GOOD),
    stat("Out of memory", "Times the device had no memory left; the batch is halved and the step tried again.", "short",
         ["sum(steer_out_of_memory_total{@})"], thresholds=ZERO_IS_GOOD),
    stat("Batch halvings", "How often the batch was halved for memory.", "short", ["sum(steer_batch_halvings_total{@})"], thresholds=ZERO_IS_GOOD),
    stat("Free on the store's disk", "Space left where directions are stored.", "bytes", ["min(steer_store_free_bytes{@})"],
         thresholds=steps((None, "red"), (2e9, "orange"), (5e9, "green"))),
    stat("Clock difference", "Server's clock less Prometheus's, as seen at the scrape.", "s",
         ["max(abs(steer_clock_timestamp_seconds{@} - timestamp(steer_clock_timestamp_seconds{@})))"],
         thresholds=steps((None, "green"), (2, "orange"), (5, "red")), decimals=2),
    stat("Canary failures", "Canary rows whose answer was not the one expected.", "short", ['sum(steer_canary_runs_total{@,result="failed"})'],
         thresholds=ZERO_IS_GOOD),
    stat("Audit failures", "Audit records that could not be written.", "short", ['sum(steer_audit_records_total{@,result="failed"})'],
         thresholds=ZERO_IS_GOOD),
]
CARD = [
    graph("GPU memory", "Allocated and reserved by steerd; used by all programs and in all by the driver's count.", "bytes",
          [("sum by (kind) (steer_gpu_memory_bytes{@})", "{{kind}}")]),
    graph("GPU memory fill", "Driver's count of memory in use. Above 95 % the next large batch fails.", "percentunit",
          [('steer_gpu_memory_bytes{@,kind="driver_used"} / ignoring (kind) steer_gpu_memory_bytes{@,kind="driver_total"}', "{{instance}}")],
          max=1, thresholds=FILL),
    graph("GPU utilisation", "Part of the time in which a kernel ran.", "percentunit", [("steer_gpu_utilization_ratio{@}", "{{instance}}")], max=1),
    graph("GPU temperature", "Cards slow down by themselves from about 85 degrees.", "celsius", [("steer_gpu_temperature_celsius{@}", "{{instance}}")],
          thresholds=HOT),
    graph("GPU power", "Power drawn by the card.", "watt", [("steer_gpu_power_watts{@}", "{{instance}}")]),
    graph("Energy a token", "Energy of the card over generated tokens, five-minute mean.", "joule",
          [("instance:steer_gpu_energy_joules_per_token:rate5m{@}", "{{instance}}")]),
]
MEMORY = [
    graph("KV arena", "Tokens in use and the arena's size.", "short",
          [("sum(steer_kv_tokens_used{@})", "used"), ("sum(steer_kv_tokens_capacity{@})", "capacity")]),
    graph("Planned memory", "What the preflight counted: weights, KV arena and work space against the limit.", "bytes",
          [('sum by (kind) (steer_memory_bytes{@,kind!="limit"})', "{{kind}}")], stacked=True),
    graph("Process memory", "Resident memory of the process. It should be flat under steady load.", "bytes",
          [("process_resident_memory_bytes{@}", "resident {{instance}}")]),
    graph("Processor time", "Processor cores in use, mean over the window.", "short", [("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")]),
    graph("Open files", "Descriptors in use, connections among them.", "short", [("process_open_fds{@}", "{{instance}}")]),
    graph("Direction store", "Bytes of stored direction sets.", "bytes", [("steer_direction_store_bytes{@}", "{{instance}}")]),
]

DASHBOARD = dashboard(
    "steer-process", "steer: GPU and process", "Memory, card, KV arena and life of steerd.", 'job=~"$job",instance=~"$instance"',
    serving_variables(), {"Now": NOW, "Card": CARD, "Memory and process": MEMORY})
