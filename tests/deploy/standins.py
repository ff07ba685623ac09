"""Series that the machine of the test cannot have. A family that a real page shows is never replaced.

Each entry: series -> (value at the start, change a second).
"""


# No card here; NVML is tested against a fake library elsewhere.
CARD = {
    'steer_gpu_memory_bytes{kind="allocated"}': (4.1e9, 1e6), 'steer_gpu_memory_bytes{kind="reserved"}': (4.6e9, 0),
    'steer_gpu_memory_bytes{kind="driver_used"}': (5.2e9, 1e6), 'steer_gpu_memory_bytes{kind="driver_total"}': (8.6e9, 0),
    "steer_gpu_utilization_ratio{}": (0.8, 0.002), "steer_gpu_temperature_celsius{}": (62, 0.3), "steer_gpu_power_watts{}": (140, 1),
    "steer_gpu_energy_joules_total{}": (0, 150),
}

# Panels and rules that are empty when all is well, with the reason.
EMPTY = {
    "Calls that failed": "no call fails in a good run",
    "Since last progress": "shown while a run goes on; a short run may end between two scrapes",
}
