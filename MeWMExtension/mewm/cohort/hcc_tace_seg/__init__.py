"""Import the public collection HCC-TACE-Seg as TCIA delivers it (Moawad et al. 2021, doi 10.7937/TCIA.5FNA-0924).

The entry is :func:`mewm.cohort.hcc_tace_seg.importer.import_hcc_tace_seg`; what it decides is told in
docs/hcc-tace-seg.md. DICOM is read with pydicom, which only this package imports.
"""
