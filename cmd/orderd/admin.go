package main

import "net/http"

// admin serves /admin/, the pages for people: they stand on d.shop, d.engine and, to log people in
// with their keys, d.ring. They answer for their own sessions and Content-Security-Policy. A build
// without them shows the reference of the API.
func (d *daemon) admin() http.Handler { return http.RedirectHandler("/docs", http.StatusFound) }
