"""Real `ray start` nodes on one machine: network namespaces with addresses of their own."""
