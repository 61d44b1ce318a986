<%-- What the tests run in Tomcat: the answers of tests/tests/proxied.rs. --%><%@ page contentType="text/plain; charset=ISO-8859-1" trimDirectiveWhitespaces="true" session="false" %><%
    String path = request.getRequestURI();
    if (path.endsWith("/hello")) {
        out.print("Hello, World!");
    } else if (path.endsWith("/echo")) {
        request.setCharacterEncoding("ISO-8859-1");
        java.io.Reader body = request.getReader();
        char[] piece = new char[8192];
        for (int read = body.read(piece); read >= 0; read = body.read(piece)) {
            out.write(piece, 0, read);
        }
    } else if (path.endsWith("/stream")) {
        for (int line = 0; line < 65536; line++) {
            out.print("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        }
    } else if (path.endsWith("/cookies")) {
        response.addHeader("Set-Cookie", "a=1");
        response.addHeader("Set-Cookie", "b=2");
    } else if (path.endsWith("/seen")) {
        String query = request.getQueryString();
        String cookie = request.getHeader("Cookie");
        out.print("method: " + request.getMethod() + "\npath: " + path + "\nquery: " + (query == null ? "" : query)
            + "\nscheme: " + request.getScheme() + "\nhost: " + request.getHeader("Host") + "\nclient: " + request.getRemoteAddr()
            + "\nforwarded: " + request.getHeader("Forwarded") + "\ncookie: " + (cookie == null ? "" : cookie) + "\n");
    } else {
        response.setStatus(404);
        out.print("nothing here");
    }
%>
