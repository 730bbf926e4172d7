"""fastMRI's volumes, and the tables of fastMRI+ that say what readers found in them."""
