"""Sweep: one experiment of steerctl from its first cell to the verdict."""
from panels import ZERO_IS_GOOD, bars, dashboard, graph, named, query_variable, stat, steps, table

ARM = '@,arm=~"$arm"'
AGE = steps((None, "green"), (120, "orange"), (600, "red"))

STATE = [
    named("Experiment", "Plan and model of what is run.", [("steer_experiment_info{@}", "{{plan}} on {{model}}")], w=6),
    named("Verdict", "What the decision rule says so far, over all seeds; INCOMPLETE until every cell is measured.",
          [('steer_experiment_verdict{@,seed="all"} == 1', "{{verdict}}")], w=6),
    named("Rule and readout", "Names and versions that were frozen in the lock.", [("steer_experiment_info{@}", "rule {{rule}}, readout {{readout}}")], w=6),
    named("State", "running, done, incomplete or stopped.", [("steer_experiment_state{@} == 1", "{{state}}")], w=6),
    stat("Progress", "Rows that are measured, of all.", "percentunit", ["steer_experiment_progress_ratio{@}"]),
    stat("Time left", "Cells left over this session's pace, as recorded; no value under three cells.", "dtdurations",
         ["experiment:steer_experiment_left_seconds:estimate{@}"]),
    stat("Since last progress", "Time since a cell was made durable, while the run goes on.", "s",
         ['time() - steer_experiment_progress_timestamp_seconds{@} and ignoring (state) steer_experiment_state{@,state="running"} == 1'],
         thresholds=AGE, noValue="not running"),
    stat("Failed cells", "Cells that failed their checks; a run with one is incomplete.", "short", ['steer_experiment_cells{@,state="failed"}'],
         thresholds=ZERO_IS_GOOD),
    stat("Calls tried again", "Calls that were repeated in this session.", "short", ["steer_experiment_retries{@}"]),
    stat("Servers up", "Servers of the run that answer, of all.", "percentunit", ["avg without (server) (steer_experiment_server_up{@})"],
         thresholds=steps((None, "red"), (0.5, "orange"), (1, "green"))),
]
PACE = [
    graph("Cells by state", "Every cell is one seed, arm and prompt set.", "short", [("steer_experiment_cells{@}", "{{state}}")], stacked=True),
    graph("Cells a minute", "Cells made durable.", "cpm", [("60 * rate(steer_experiment_cells_done_total{@}[$__rate_interval])", "cells")]),
    graph("Cell time, p50 and p95", "Time of a cell by stage.", "s",
          [("histogram_quantile(0.5, sum by (le, stage) (rate(steer_experiment_cell_seconds_bucket{@}[$__rate_interval]))) >= 0", "p50 {{stage}}"),
           ("histogram_quantile(0.95, sum by (le, stage) (rate(steer_experiment_cell_seconds_bucket{@}[$__rate_interval]))) >= 0", "p95 {{stage}}")]),
]
RESULT = [
    bars("Refusal rate by arm", "Refused over measured test prompts; counts are summed over seeds before dividing.", "percentunit",
         [("experiment_arm:steer_experiment_refused_prompts:ratio{%s}" % ARM, "{{arm}}")], w=12, h=9, max=1),
    bars("Fitted against control", "Change of the refusal rate by the fitted direction less the change by its control. "
         "Far from 0: it is the direction and not the push.", "percentunit",
         [("experiment:steer_experiment_suppression:difference{@}", "suppression: control less fitted"),
          ("experiment:steer_experiment_induction:difference{@}", "induction: fitted less control")], w=12, h=9, min=-1, max=1),
    table("Refusal rate with interval", "Counts, rate and 95 % Wilson interval by arm and seed.", "short",
          {"refused": "sum by (seed, arm) (steer_experiment_refused_prompts{%s})" % ARM,
           "prompts": "sum by (seed, arm) (steer_experiment_prompts{%s})" % ARM,
           "rate": "max by (seed, arm) (steer_experiment_refusal_ratio{%s})" % ARM,
           "lower": "max by (seed, arm) (steer_experiment_refusal_lower_ratio{%s})" % ARM,
           "upper": "max by (seed, arm) (steer_experiment_refusal_upper_ratio{%s})" % ARM,
           "degenerate": "sum by (seed, arm) (steer_experiment_degenerate_prompts{%s})" % ARM,
           "dose": "max by (seed, arm) (steer_experiment_dose_ratio{%s})" % ARM}, ("seed", "arm"), w=14, h=13),
    table("Margins of the rule", "Each margin with what the rule needs, by seed.", "percentunit",
          {"margin": "max by (seed, margin) (steer_experiment_margin_ratio{@})",
           "needed": "max by (seed, margin) (steer_experiment_margin_needed_ratio{@})"}, ("seed", "margin"), w=10, h=13, decimals=2),
    bars("Swing by layer", "Validation swing of each layer's direction, mean over seeds. The chosen layer is where it is largest.", "percentunit",
         [("avg by (layer) (steer_experiment_swing{@})", "layer {{layer}}")], w=8, h=9),
    bars("Layer chosen", "Layer that each seed chose on its validation split.", "short",
         [("steer_experiment_selected_layer{@}", "seed {{seed}}")], w=8, h=9),
    bars("Capability cost", "Part of the completions that are degenerate, by arm. A direction that breaks the model proves nothing.", "percentunit",
         [("experiment_arm:steer_experiment_degenerate_prompts:ratio{%s}" % ARM, "{{arm}}")], w=8, h=9, max=1),
]
PUSH = [
    stat("Push age", "Time since the Pushgateway took a snapshot. Snapshots of ended runs stay until they are deleted.", "s",
         ["time() - push_time_seconds{@}"], w=6, h=7, thresholds=AGE),
    stat("Refused by the gateway", "1 if the gateway's last answer to this experiment was a refusal.", "none",
         ["push_failure_time_seconds{@} > bool push_time_seconds{@}"], w=6, h=7,
         words={0: ("no", "green"), 1: ("yes", "red")}),
    graph("Pushes", "Counted by steerctl, seen at its own scrape endpoint only (job steerctl).", "ops",
          [('rate(steer_push_total{instance=~"$instance",job=~"$job|steerctl",result="failed"}[$__rate_interval])', "failed"),
           ('rate(steer_push_total{instance=~"$instance",job=~"$job|steerctl",result="ok"}[$__rate_interval])', "ok")], w=6),
    graph("Calls tried again", "Retries by method and status.", "ops",
          [("sum by (method, code) (rate(steer_experiment_rpc_retries_total{@}[$__rate_interval]))", "{{method}} {{code}}")], w=6),
]

DASHBOARD = dashboard(
    "steer-sweep", "steer: Sweep", "Progress, results and verdict of an experiment.",
    'job=~"$job",instance=~"$instance",experiment=~"$experiment"',
    [query_variable("job", "Job", "label_values(steer_experiment_info, job)", default="steer_experiment"),
     query_variable("model", "Model", 'label_values(steer_experiment_info{job=~"$job"}, model)', multi=True),
     # A pushed series has no instance. One experiment at a time: mixed ones cannot be told apart in most panels.
     query_variable("instance", "Instance", 'label_values(steer_experiment_info{job=~"$job",model=~"$model"}, instance)', multi=True, all_value=".*"),
     query_variable("experiment", "Experiment", 'label_values(steer_experiment_info{job=~"$job",model=~"$model"}, experiment)'),
     query_variable("arm", "Arm", 'label_values(steer_experiment_prompts{job=~"$job",experiment=~"$experiment"}, arm)', multi=True, all_value=".*")],
    {"State": STATE, "Pace": PACE, "Results": RESULT, "Push and calls": PUSH})
