"""Twin 孪生: a seeded city whose devices speak the real protocols.

In: a seed and a story. Out: a registered demo district, devices on real sockets, weather,
people who answer or stay silent, faults. Everything it makes is labelled demonstration.
"""
