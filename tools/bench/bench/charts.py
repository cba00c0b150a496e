def draw(whole, output): return []
