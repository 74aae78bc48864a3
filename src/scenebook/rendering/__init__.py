"""The executed notebooks of a run as one HTML page, one PDF and one Word file, through nbconvert and pandoc.

`report.render_report` is the way in. Its parts, in the order in which a report passes through them: `front_matter`
(title block, abstract), `assemble` with `outputs`, `records` and `markdown` (notebooks to a report as data, see
`document`), `provenance` (how all was made), `numbering` (passes over the whole of it), `citations` with `bibliography`
(the works that are cited), `sections` again (what is printed), then `html`, `pdf` with `typst_source`, and `word`.
"""
