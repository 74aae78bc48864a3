"""The executed notebooks of a run as one HTML page and one PDF, through nbconvert.

`report.render_report` is the way in. Its parts, in the order in which a report passes through them: `front_matter`
(title block) and `abstract` (its fields), `assemble` with `outputs`, `bundles`, `tables`, `images` and `markdown`
(notebooks to a report as data, see `document`), `sources` (where numbers come from), `provenance` (how all was made),
`numbering` (one pass for both files), `citations` with `bibliography` (the works that are cited), then `html` and
`pdf`, the exporters.
"""
