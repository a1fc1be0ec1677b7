"""Stage `inference`: what estimates say of each other and of the world."""
