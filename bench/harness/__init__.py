"""compare.sh's inside: a link, a registry behind it, images, tools, measurements, tables."""
