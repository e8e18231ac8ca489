"""The demo of photos: pictures that code draws, and the story of the people that publish them."""
