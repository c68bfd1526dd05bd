"""Register 名录: what exists and who answers for it.

In: tables from the bureau (Excel, CSV), devices being provisioned. Out: divisions, people,
posts, sites, stations, devices, households, responsibilities, rights by area and post, and
the compiled station table that the judges work from. What can go wrong: a row that cannot
be taken (kept in the rejected-rows report with its reason, the rest goes in).
"""
