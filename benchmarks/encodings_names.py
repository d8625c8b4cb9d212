"""Names that measure the detection of encodings. None of them may be used to tune it.

For each language: the encodings that files in it have, given names, family names, and cities.
"""

WESTERN = ("cp1252", "iso8859-1", "cp850", "mac-roman")
CENTRAL = ("cp1250", "iso8859-2", "cp852")

NAMES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "German": (
        WESTERN,
        "Anna Lukas Hannelore Jürg Annegret Hansjörg Ulrike Wolfgang Annelie Ute Bernd Gudrun Ötzi Helmut Uwe Torsten",
        "Schmidt Weber Becker Schäuble Lüders Grönemeyer Höppner Bräutigam Weiss Rößler Hoffmann Brüning Lange Vogt "
        "Rühmann Köpke Ziegler Wößner Kaiser Bär",
        "Berlin Hamburg Mönchengladbach Mülheim Lüneburg Görlitz Bremen Bad-Tölz Füssen Gießen Mainz Kassel Münster",
    ),
    "French": (
        WESTERN,
        "Marie Jean Rémi Océane Cécile Mathéo Inès Guénolé Paul Sophie Clément Lucie Solène Camille Aimée Mélanie",
        "Martin Bernard Dubois Lemaître Guéret Desprès Hébert Poincaré Moreau Bérard Noël Gaudin Petit Roux Delaître "
        "Périer Fournier Crépin Vallée Lacroix",
        "Paris Lyon Sète Châteauroux Vélizy Mâcon Bordeaux Épinal Nancy Périgueux Lille Thônes Melun Compiègne",
    ),
    "Spanish": (
        WESTERN,
        "Carlos Ana Tomás Nicolás Elías Beatriz Leonor Germán Pilar César Rosa Estefanía Noelia Fermín Teresa Abigaíl",
        "Ruiz Marín Castaño Bermúdez Velázquez Ortega Cortés Yáñez Galán Blanco Gálvez Rincón Solís Campos Arias Leiva "
        "Pinzón Valdés Robles Quiñones",
        "Madrid Barcelona Mérida Gijón Castellón Sevilla Alcorcón Bilbao Leganés Móstoles Valencia Cancún Zaragoza Luján",
    ),
    "Portuguese": (
        WESTERN,
        "Maria Rita Vítor Mónica Zélia Débora Rogério Teresa Hélder Íngrid Pedro Nuno Flávia César Cátia Estêvão",
        "Silva Santos Negrão Sá Quitério Paixão Moura Ferrão Brandão Pereira Proença Colaço Frazão Baptista Patrício "
        "Café Vergílio Beirão Costa Viegas",
        "Lisboa Porto Guarda Bragança Faro Mação Covilhã Seixal Niterói Florianópolis Natal Mafra Olhão Loulé Azeitão",
    ),
    "Italian": (
        WESTERN,
        "Giulia Marco Nicolò Chiara Luca Desirè Paola Matteo Noè Elena Giosuè Davide Salomè Ilaria Bruno Aldo",
        "Rossi Russo Ferrari Bicchierà Esposito Cafà Colombo Ricci Dolfù Marino Greco Pennisì Morabità Conti Bruno "
        "Tafurò Gallo Mancinò Costa Rizzo",
        "Roma Milano Napoli Cantù Forlì Torino Viggiù Almè Bari Lecco Mondovì Cefalù Pisa Erbè Merì",
    ),
    "Swedish": (
        WESTERN,
        "Anna Erik Åsne Mårthen Jöran Lars Emma Örnulf Pär-Ola Karin Stig Gösta Märet Torbjörn Ebba Ulf",
        "Andersson Johansson Björklund Åslund Hellström Forsgård Öhrn Nilsson Sköld Hägglund Bäckman Grönlund Larsson "
        "Forsström Lövgren Palmér Rydén Fält Olsson Ek",
        "Stockholm Uppsala Malmö Lidköping Mjölby Sandviken Åmål Västervik Trelleborg Höör Karlskoga Nässjö Enköping",
    ),
    "Danish": (
        WESTERN,
        "Hanne Lars Søs Bjørg Jørgine Pia Kåre Tøger Ole Bodil Ågot Kristian Løvel Astrid Mads Trine",
        "Jensen Nielsen Hansen Mørk Thygesen Kjærsgaard Bødker Ravn Høyer Holm Grønbæk Damgård Østerby Lund Bæk Lauritsen "
        "Nygård Sørby Krogh Fæster",
        "Odense Aalborg Esbjerg Randers Kolding Tønder Skælskør Nykøbing Sæby Holbæk Ribe Haderslev Ringkøbing Ålbæk",
    ),
    "Dutch": (
        WESTERN,
        "Jan Daniëlle Piet Joëlle Noëlla Kees Chloë Anneke Ismaël Gaëlle Sanne Mattheüs Zoë Aimée Willem Renée",
        "Jansen Vries Bakker Visser Boënne Smit Meijer Mulder Poëls Vos Peeters Dekker Crèvecoeur Koç Groot Coenraëts "
        "Meÿer Kok Linden Prévoo",
        "Amsterdam Rotterdam Utrecht Eindhoven Boëll Breda Tilburg Gent Liège Zwolle Leiden Tiël Delft Groningen",
    ),
    "Polish": (
        CENTRAL,
        "Anna Piotr Tomasz Wiesława Jarosław Łucjan Mieczysław Dorota Ździsława Radosław Ewa Wacław Ścibor Bronisław Ola",
        "Nowak Mazur Krawczyk Dudek Stępień Górski Witkowski Rutkowski Ostrowski Tomaszewski Jasiński Zawadzki Chmielewski "
        "Włodarczyk Sobczak Cieślak Gajewski Błaszczyk Sułkowski Ząbek",
        "Warszawa Lublin Olsztyn Zielona-Góra Opole Słupsk Kołobrzeg Żywiec Zamość Suwałki Ełk Łomża Przemyśl Radom",
    ),
    "Czech": (
        CENTRAL,
        "Pavel Jana Eva Michal Bořivoj Jaroslav Hana Drahomíra Květa Radek Přemysl Blažena Anežka Ladislav Bedřich Čeněk",
        "Marek Pospíchal Krejčí Bartoš Vítek Kopecký Konečný Malý Holub Štěpánek Staněk Kříženecký Bureš Šebesta Ptáček "
        "Hruška Toman Žižka Vávra Matoušek",
        "Praha Brno Ostrava Opava Kladno Most Karviná Teplice Jičín Kroměříž Vsetín Náchod Uherské Prostějov Břeclav",
    ),
    "Hungarian": (
        CENTRAL,
        "Anna Attila Róbert Judit Lajos Krisztián Eszter Zsuzsanna Dániel Máté Réka Botond Dóra Norbert Vilmos Szilárd",
        "Varga Balogh Lukács Gulyás Biró Király László Bognár Orsós Hegedűs Török Fehér Gál Kelemen Somogyi Fodor Sípos "
        "Magyar Bodnár Halász",
        "Budapest Baja Gyula Békéscsaba Hódmezővásárhely Dunaújváros Vác Esztergom Gyöngyös Hatvan Mohács Pápa Ózd Makó",
    ),
    "Turkish": (
        ("cp1254", "iso8859-9", "cp857"),
        "Mehmet Mustafa Ahmet Ali Zeynep Emine Hatice Gülcan Çağrı Sırrı Tuğçe Nazlı Oğuz Şenol İrem Aslı",
        "Kaya Demir Polat Kara Aksoy Taş Kurt Özkan Bozkurt Çoban Toprak Işıkoğlu Tekin Güngör Akın Yalçın Sarı Keskin Öz "
        "Karakaş",
        "Ankara Bursa Adana Konya Antalya Şırnak Kütahya Uşak Isparta Malatya Elazığ Tunceli Muş Aydın Ordu",
    ),
    "Russian": (
        ("cp1251", "koi8-r", "cp866"),
        "Виктор Павел Роман Максим Галина Ирина Людмила Вера Надежда Игорь Олег Артём Денис Полина Ксения Глеб",
        "Виноградов Богданов Ковалёв Ильин Гусев Титов Кузьмин Кудрявцев Баранов Куликов Сорокин Сергеев Осипов Фролов "
        "Тарасов Белов Комаров Жуков Киселёв Щукин",
        "Тула Рязань Ижевск Барнаул Иркутск Ярославль Владивосток Томск Оренбург Кемерово Пенза Липецк Киров Чебоксары",
    ),
    "Greek": (
        ("cp1253", "iso8859-7", "cp737"),
        "Πέτρος Στέφανος Θεόδωρος Αντώνης Κώστας Δέσποινα Ευαγγελία Χριστίνα Κατερίνα Ηλίας Άρης Λουκάς Ράνια Έφη",
        "Αγγελόπουλος Βασιλειάδης Γεωργίου Δημητρίου Αλεξίου Σταύρου Κωστόπουλος Ζαχαρίας Ράπτης Σαμαράς Λάμπρου Μάνος "
        "Φωτίου Ξένος Τσάκαλος Αναγνώστου",
        "Καλαμάτα Ρόδος Σέρρες Τρίκαλα Λαμία Κομοτηνή Δράμα Βέροια Κοζάνη Ξάνθη Κατερίνη Ρέθυμνο Πειραιάς Κέρκυρα",
    ),
    "Lithuanian": (
        ("cp1257", "iso8859-13", "cp775"),
        "Jonas Ona Darius Rimantas Vilija Laimutė Aušra Dalia Ignas Gintarė Tadas Živa Raimonda Ieva Šarūnė Česlava",
        "Balčiūnas Jonaitis Savickas Morkūnas Žilinskas Kavaliauskas Navickienė Adomaitis Šukys Bagdonas Vyšniauskas "
        "Černius Petraitytė Norkus Gudaitė Žemaitis Rimkus Sakalauskaitė Baranauskas Kučinskas",
        "Vilnius Kaunas Alytus Marijampolė Jonava Šilutė Palanga Prienai Anykščiai Joniškis Varėna Ignalina Zarasai",
    ),
    "Hebrew": (
        ("cp1255", "iso8859-8"),
        "יונתן איתי עומר אורי גיל רון שירה מאיה יעל טל דנה אביגיל חיים צבי ברוך עדי",
        "גולן שפירא רוזן ברק קפלן אוחיון אלון בכר הררי טננבאום נחום סופר עוז פלד צור קליין רביבו שגב תורג",
        "אילת טבריה עכו צפת נצרת חולון רחובות כפר-סבא רעננה לוד מודיעין יבנה דימונה",
    ),
    "Japanese": (
        ("cp932", "euc_jp"),
        "翔太 拓也 真由美 裕子 誠 和也 千尋 優子 明美 彩香 亮 智子 康弘 雅子 悠斗 結衣",
        "松田 竹内 中島 金子 和田 中山 石田 上田 森田 柴田 酒井 工藤 横山 宮崎 宮本 内田 高木 安藤 島田 谷口",
        "長野市 静岡市 熊本市 岡山市 新潟市 浜松市 堺市 金沢市 長崎市 奈良市 松山市 鹿児島市 盛岡市",
    ),
    "Chinese": (
        ("gb18030",),
        "婷婷 海燕 晓东 建军 雪梅 国强 丹丹 红梅 玉兰 立新 春华 少华 俊 宁 浩然 思远",
        "蔡 潘 田 董 余 叶 杜 魏 苏 丁 任 卢 姚 钟 姜 崔 谭 陆 范 汪",
        "济南 郑州 合肥 福州 昆明 兰州 哈尔滨 长春 石家庄 太原 贵阳 南宁 无锡",
    ),
    "Korean": (
        ("cp949",),
        "예진 도윤 유진 상훈 재현 승민 태영 보라 소연 병철 은영 정숙 경수 나연 윤아 광수",
        "류 홍 원 방 공 변 염 여 추 도 석 선 설 마 길 위 표 명 기 반",
        "포항 김해 구미 안산 의정부 평택 춘천 원주 강릉 목포 여수 순천 진주",
    ),
}
# Those of which files of 5 rows must be read, too.
WESTERN_LANGUAGES = ("German", "French", "Spanish", "Portuguese", "Italian", "Swedish", "Danish", "Dutch")
