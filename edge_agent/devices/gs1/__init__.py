"""GS1: what a barcode says, by the General Specifications."""
