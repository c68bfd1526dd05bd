"""Forecast 预报: readings become forecasts with honest uncertainty.

In: look-back windows of the stations whose detector gate is open. Out: a failure time with
p10-p50-p90, or quantiles per lead time, with the evidence. What can go wrong: too little or
too noisy data; then the forecast says which gate stopped it instead of a number.
"""
