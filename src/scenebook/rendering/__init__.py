"""The executed notebooks of a run as one HTML page, one PDF and one Word file, through nbconvert and pandoc.

`report.render_report` is the way in. A report passes through `front_matter`, `assemble` (to a report as data, see
`document`), `provenance`, `numbering`, `citations`, `sections` (what is printed), then `html`, `pdf` and `word`.
"""
