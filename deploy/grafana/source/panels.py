"""Grafana dashboards from short descriptions: one line a panel where possible.

In expressions "@" stands for the dashboard's own matchers, so steer_ready{@} is a whole selector.
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
RED, AMBER, GREEN = "red", "orange", "green"


def steps(*pairs):
    """Colour steps: the first colour holds from minus infinity."""
    return {"mode": "absolute", "steps": [{"color": c, "value": v} for v, c in pairs]}


UP = steps((None, RED), (1, GREEN))
ZERO_IS_GOOD = steps((None, GREEN), (1, RED))
FILL = steps((None, GREEN), (0.8, AMBER), (0.95, RED))


def _targets(queries, instant, table):
    out = []
    for i, query in enumerate(queries):
        expr, legend = query if isinstance(query, tuple) else (query, "")
        out.append({"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend,
                    "instant": instant, "range": not instant, "format": "table" if table else "time_series"})
    return out


def _panel(kind, title, description, unit, queries, w, h, instant=False, table=False, **defaults):
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "gridPos": {"w": w, "h": h},
            "fieldConfig": {"defaults": {"unit": unit, **defaults}, "overrides": []}, "options": {},
            "targets": _targets(queries, instant, table)}


def stat(title, description, unit, queries, w=4, h=4, thresholds=None, words=None, **defaults):
    """One figure now. `words`: value -> (text, colour)."""
    defaults["thresholds"] = thresholds or steps((None, "blue"))
    if words:
        defaults["mappings"] = [{"type": "value", "options": {str(v): {"text": t, "color": c} for v, (t, c) in words.items()}}]
    panel = _panel("stat", title, description, unit, queries, w, h, instant=True, **defaults)
    panel["options"] = {"colorMode": "background" if thresholds or words else "value", "graphMode": "none", "textMode": "auto",
                        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel


def named(title, description, queries, w=8, h=4):
    """Shows names, the legend of each series, rather than values."""
    panel = stat(title, description, "none", queries, w, h)
    panel["options"]["textMode"] = "name"
    return panel


def graph(title, description, unit, queries, w=8, h=7, stacked=False, thresholds=None, **defaults):
    """Lines over time."""
    custom = {"lineWidth": 1, "fillOpacity": 25 if stacked else 5, "showPoints": "auto", "spanNulls": False,
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
              "thresholdsStyle": {"mode": "line" if thresholds else "off"}}
    if thresholds:
        defaults["thresholds"] = thresholds
    defaults.setdefault("min", 0)
    panel = _panel("timeseries", title, description, unit, queries, w, h, custom=custom, **defaults)
    panel["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                        "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel


def bars(title, description, unit, queries, w=8, h=7, **defaults):
    """One bar a series, of its value now."""
    defaults.setdefault("min", 0)
    panel = _panel("bargauge", title, description, unit, queries, w, h, instant=True, **defaults)
    panel["options"] = {"orientation": "horizontal", "displayMode": "basic", "showUnfilled": True,
                        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel


def table(title, description, unit, columns, keys, w=24, h=9, **defaults):
    """Columns name -> expression, joined on the labels `keys`."""
    panel = _panel("table", title, description, unit, [(e, n) for n, e in columns.items()], w, h, instant=True, table=True, **defaults)
    names = {"Value #%s" % chr(ord("A") + i): name for i, name in enumerate(columns)}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(keys) + list(names)}}},
        {"id": "organize", "options": {"renameByName": names, "indexByName": {k: i for i, k in enumerate(list(keys) + list(names))}}}]
    panel["options"] = {"showHeader": True, "cellHeight": "sm"}
    return panel


def heat(title, description, unit, expr, w=8, h=7):
    """A histogram over time; `expr` gives rates by le."""
    panel = _panel("heatmap", title, description, unit, [(expr, "{{le}}")], w, h)
    panel["targets"][0]["format"] = "heatmap"
    panel["options"] = {"calculate": False, "yAxis": {"unit": unit}, "color": {"mode": "scheme", "scheme": "Blues", "steps": 32},
                        "cellGap": 1, "tooltip": {"show": True, "yHistogram": False}}
    return panel


def quantiles(title, description, metric, by=(), unit="s", **kw):
    """p50, p95 and p99 of a histogram."""
    le = ", ".join(("le",) + tuple(by))
    tail = "".join(" {{%s}}" % b for b in by)
    return graph(title, description, unit,
                 [("histogram_quantile(%s, sum by (%s) (rate(%s_bucket{@}[$__rate_interval])))" % (q, le, metric), name + tail)
                  for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))], **kw)


def query_variable(name, label, query, default=None, multi=False, all_value=None):
    current = default or ("$__all" if multi else "")
    text = "All" if current == "$__all" else current
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "refresh": 2, "sort": 1,
            "query": {"query": query, "refId": "variable-" + name}, "definition": query, "includeAll": multi, "multi": multi,
            "allValue": all_value, "current": {"text": [text] if multi else text, "value": [current] if multi else current}}


def dashboard(uid, title, description, matchers, variables, rows, window="now-1h"):
    """`rows`: row title -> panels, laid out from left to right in 24 columns."""
    panels, number, y = [], 0, 0
    for row_title, row in rows.items():
        number += 1
        panels.append({"id": number, "type": "row", "title": row_title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        x, height = 0, 0
        for panel in row:
            number += 1
            w, h = panel["gridPos"]["w"], panel["gridPos"]["h"]
            if x + w > 24:
                x, y, height = 0, y + height, 0
            panel["gridPos"] = {"x": x, "y": y, "w": w, "h": h}
            x, height = x + w, max(height, h)
            for target in panel["targets"]:
                target["expr"] = target["expr"].replace("@", matchers)
            panels.append({"id": number, **panel})
        y += height
    datasource = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                  "current": {"text": "Prometheus", "value": "steer-prometheus"}, "includeAll": False, "multi": False}
    return {"uid": uid, "title": title, "description": description, "tags": ["steer"], "editable": False, "graphTooltip": 1,
            "schemaVersion": 39, "version": 1, "refresh": "5s", "time": {"from": window, "to": "now"}, "timezone": "browser",
            "templating": {"list": [datasource] + variables}, "annotations": {"list": []},
            "links": [{"title": "steer", "type": "dashboards", "tags": ["steer"], "asDropdown": True, "keepTime": True}],
            "panels": panels}


def serving_variables():
    """Model narrows instance: the server's own series carry no model label."""
    return [query_variable("job", "Job", "label_values(steer_build_info, job)", default="steerd"),
            query_variable("model", "Model", 'label_values(steer_model_info{job=~"$job"}, model)', multi=True),
            query_variable("instance", "Instance", 'label_values(steer_model_info{job=~"$job",model=~"$model"}, instance)', multi=True)]
