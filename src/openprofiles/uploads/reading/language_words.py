"""Common names, cities and words of the languages in which customers' files are written.

``detect_encoding`` learns from them which letters a language has and what stands around them. The names that
measure it are in ``benchmarks/encodings_names.py``; do not move names from there to here.
"""

from __future__ import annotations

# The encodings of each group, by Python's names, with the usual one first.
_WESTERN = ("cp1252", "cp850", "mac-roman", "cp437")
_CENTRAL = ("cp1250", "iso8859-2", "cp852", "mac-latin2")
_BALTIC = ("cp1257", "iso8859-13", "cp775")
_TURKISH = ("cp1254", "iso8859-9", "cp857", "mac-turkish")
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
_GREEK = ("cp1253", "iso8859-7", "cp737", "cp869", "mac-greek")
_HEBREW = ("cp1255", "iso8859-8", "cp862")
_LATIN_1 = ("iso8859-15",)

# Language: its usual encodings, and words of it.
WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "de": (
        (*_WESTERN, *_LATIN_1, "cp1250", "cp852"),
        """Müller Schäfer König Jürgen Günther Böhm Krüger Schröder Köhler Möller Größe Straße Weiß Groß Düsseldorf
        München Köln Nürnberg Würzburg Lübeck Saarbrücken Göttingen Tübingen Österreich Zürich Björn Jörg Käthe Bärbel
        Rüdiger Götz Sören Jäger Vögel Büttner Förster Schütz Häußler Gärtner Kühn Süß Strauß Hauptstraße Bahnhofstraße
        Mühlweg Schloßallee Übersicht Änderung Örtlich für über Fürth Völker Bäcker Löwe Hübner Lößnitz Preuß Voß
        Kröger Dörfler Härtel Küster Räder Föhr MÜLLER SCHÄFER KÖLN MÜNCHEN GRÜN Wörner Lück Höfer Hänsel Dürr Jünger
        Größer Äußere Öhringen Überlingen Kießling Nößler Bürger Stör Brühl Grüner Kürten Märkte Rösler Röder Schönberg
        Plön Mönch Rügen Süd Nord Mühle""",
    ),
    "fr": (
        (*_WESTERN, *_LATIN_1),
        """François Hélène Jérôme André René Léa Chloé Zoé Noël Gaëlle Joël Raphaël Anaïs Loïc Maïté Benoît Céline
        Cédric Frédéric Stéphane Sébastien Élodie Émilie Éric Étienne Thérèse Geneviève Adèle Hervé Valérie Aurélie
        Mickaël Lefèvre Lefebvre Gérard Béatrice Désirée Bérénice Châtelet Château Côte Hôtel Besançon Orléans Nîmes
        Saint-Étienne Évreux Béziers Angoulême Alençon Île Forêt rue du Général Président Ampère Rhône Drôme Isère
        Hérault Ardèche Corrèze Lozère Québec Montréal Trois-Rivières Chénier Prévost Créteil Fréjus Rosé Crête Même
        Français Garçon Leçon Façade Renée Dorothée Agnès Gisèle Mercœur Sœur Cœur Bœuf Février Août Décembre Téléphone
        Prénom Société Générale Bélanger Côté Gagné Guérin Léger Ménard Métayer Pécheux Boulé Barthélemy""",
    ),
    "es": (
        (*_WESTERN, *_LATIN_1),
        """José María Jesús Ángel Óscar Raúl Andrés Martín Sebastián Julián Adrián Ramón Joaquín Agustín Iván Rubén
        Víctor Héctor Álvaro Íñigo Begoña Inés Mónica Verónica Sofía Lucía Rocío Belén Concepción Asunción Nuñez Muñoz
        Ibáñez Peña Núñez García Fernández Martínez López González Rodríguez Sánchez Pérez Gómez Jiménez Díaz Hernández
        Vázquez Gutiérrez Domínguez Álvarez Suárez Ramírez Méndez Cádiz Córdoba Málaga León Ávila Cáceres Jaén Almería
        Logroño Coruña España México Bogotá Medellín Perú Panamá Cúcuta Asunción Río Güell Agüero Sigüenza Calle
        Avenida Constitución Razón Teléfono Dirección Código Año Niño Señor Señora Compañía Ordóñez Zúñiga Ñuñoa Cañete
        Nº 3º 2ª 1º""",
    ),
    "pt": (
        (*_WESTERN, *_LATIN_1),
        """João José António Antônio Sérgio Márcio Fábio Cláudio Flávio Mário Júlio Júlia Lúcia Cláudia Patrícia Márcia
        Fátima Conceição Inês Luís Tomás André Gonçalo Gonçalves Simão Estêvão Sebastião Assunção Araújo Magalhães
        Guimarães Simões Camões Nóbrega Falcão Leitão Galvão Bragança Mendonça Lourenço França Graça Valença São Paulo
        Brasília Goiânia Belém Macapá Maceió Ceará Paraná Maranhão Amapá Rondônia Évora Setúbal Óbidos Açores Portimão
        Lousã Avô Avó Três Câmara Português Inglês Praça Estação Coração Irmão Pães Mãe Não Número Endereço Código
        Informações Ações Opções Corrêa Müller Anália Vitória Íris Ângela Ângelo Átila Úrsula Bárbara Érica Mônica
        Verônica Jerônimo""",
    ),
    "it": (
        (*_WESTERN, *_LATIN_1),
        """Nicolò Niccolò Cantù Forlì Città Mondovì Università Libertà Nicolà Salomè Noè Giosuè Mosè Dalò Carrù Patrì
        Cefalù Agliè Sanità Località Società Via della Libertà Santità Viale Unità Virtù Gesù Perù Papà Però Così Lunedì
        Martedì Venerdì È Caffè Tè Perché Né Poiché Cantò Loanò Alì Zanò Muggiò Almè Rho Zoè Dolcè Roè Luserna Pirrò
        Barbanà Salò Cirò Scicli Paternò Giardinà Fabbricà Nardò Mercatò Caldarà Calò Cannavò Tutù Rapallò Dalù
        Montà Mirtò Bagnarà Santhià Canicattì""",
    ),
    "sv": (
        (*_WESTERN, *_LATIN_1),
        """Åsa Åke Björn Göran Jörgen Märta Örjan Sören Östen Håkan Mårten Pär Jönköping Malmö Göteborg Västerås Örebro
        Norrköping Linköping Gävle Umeå Luleå Växjö Borås Södertälje Härnösand Skövde Öberg Åberg Sjöberg Nyström Sjögren
        Åkesson Lindström Bergström Lundström Söderberg Engström Åström Hägg Käll Löfgren Sandström Öhman Ström
        Höglund Nordström Väst Gård Gatan Storgatan Kungsgatan Väg Vägen Gränd Torsås Ängelholm Östersund Kålle
        Märit Gård Bäck Norrbäck Backström Hällström Strömberg Wikström Ågren Åhlén Norén Lindén Andrén Mikael
        Päivi Jyväskylä Hämeenlinna Mäkinen Virtanen Hämäläinen Mäkelä Järvinen Heikkilä Lähteenmäki Väinö Äänekoski
        Töölö Kärkkäinen Määttä Nylén Levén Hedén Idé André""",
    ),
    "da": (
        (*_WESTERN, *_LATIN_1),
        """Søren Jørgen Bjørn Jørn Børge Øystein Håkon Åse Åge Pål Pernille Mette Kåre Gærd Ødegård Sørensen Jørgensen
        Østergaard Kjær Nørgaard Bøgh Møller Højgaard Brøndum Sæther Bråten Bakkegård Søndergaard København Århus Køge
        Helsingør Sønderborg Næstved Rødovre Hørsholm Værløse Ærø Samsø Tromsø Bodø Bærum Ålesund Tønsberg Sandnessjøen
        Skjærgård Vægter Nærum Læsø Grøn Blå Rød Sø Å Gård Nørrebrogade Østerbrogade Vestergade Vejlø Strøm Høj Lærke
        Kærsgaard Mølgaard Brøgger Thrane Skovgård Hvidovre Tårnby Ballerup Frølich Krøyer Hærning Frederikshavn
        Færøerne André Præstø Bælt Fyn Sjælland ØSTERGAARD SØRENSEN Låsby Vålerenga Øyvind Åshild Solbjørg Bø""",
    ),
    "nl": (
        (*_WESTERN, *_LATIN_1),
        """Daniël Joël Michaël Raphaël Zoë Chloë Noë Noëlle Loïs Anaïs Maïka Desirée Renée André René Hélène Thérèse
        Coördinator België Israël Italië Indië Geïnteresseerd Reünie Curaçao François Françoise Ruïne Tweeën Knieën Eén
        Beëindiging Efteling Ciné Café Géén Brontë Citroën Coëfficiënt Oekraïne Financiën Categorieën Naïma Aïcha Saïd
        Moïse Israëls Boëtius Hoën Thijs Zuid-Holland Ambrosiën Gabriëlle Michaëla Daniëlle Rafaël Gaël Mariëlle
        Mariëtte Jolieën Geert Tjalling Coëns Caïn Elise Müller Schröder Köhler Hoogeveen Skûtsje Fryslân Súdwest Hûs Sûd""",
    ),
    "is": (
        ("cp1252", "cp850", *_LATIN_1),
        """Þór Þórður Þóra Guðmundur Guðrún Sigurður Sigríður Jón Jóhann Jóhanna Ágúst Ásta Ísak Ólafur Ólöf Örn Björk
        Björn Hákon Hörður Kristín Katrín Guðjónsdóttir Sigurðsson Þorsteinsson Ragnheiður Reykjavík Kópavogur
        Hafnarfjörður Akureyri Ísafjörður Garðabær Selfoss Eiríkur Árni Bára Dóra Davíð Elín Fríða Gísli Hálfdán
        Sæunn Særún Ævar Einarsdóttir""",
    ),
    "pl": (
        _CENTRAL,
        """Łukasz Paweł Michał Rafał Małgorzata Elżbieta Łucja Bożena Jerzy Stanisław Mirosław Zdzisław Wojciech Bartłomiej
        Błażej Świętosława Żaneta Grażyna Agnieszka Kowalczyk Wiśniewski Dąbrowski Zieliński Szymański Woźniak Kozłowski
        Jabłoński Wróbel Wójcik Pawłowski Król Piątek Gołębiowski Sikorski Głowacki Zając Łódź Kraków Wrocław Poznań
        Gdańsk Częstochowa Toruń Białystok Rzeszów Gliwice Zabrze Bielsko-Biała Tychy Dąbrowa Górnicza Płock Elbląg
        Wałbrzych Włocławek Tarnów Chorzów Kędzierzyn-Koźle Świdnica Żory Święta Ćwikliński Śliwa Ślusarski Żak Źródło
        ulica Długa Krótka Świerkowa Mickiewicza Józef Krzysztof Sławomir Przemysław Bogusław Jagoda Jędrzej Kamińska
        Lewandowska Górecka Dębski Bąk Mąka Kępa Maćkowiak Kość Gość Leśniak Leśna Jaźwiński Mądry Władysław
        Kołodziej Nowiński Urbański Czyż Różycki Rożek""",
    ),
    "cs": (
        _CENTRAL,
        """Jiří Tomáš Lukáš Ondřej Zdeněk František Václav Miloš Luboš Matěj Vojtěch Štěpán Šárka Žaneta Kateřina Lenka
        Věra Růžena Božena Ludmila Petr Novák Svoboda Dvořák Černý Procházka Kučera Veselý Horák Němec Pokorný Pospíšil
        Hájek Jelínek Král Růžička Beneš Fiala Sedláček Doležal Zeman Kolář Navrátil Čermák Vaněk Kříž Šimek Říha
        Šťastný Žák Plzeň Liberec Olomouc Ústí nad Labem Hradec Králové České Budějovice Pardubice Zlín Havířov Jihlava
        Příbram Třebíč Znojmo Děčín Chomutov Přerov Město Náměstí Dlouhá Krátká Ľubomír Ľudmila Ján Jozef Ľuboš Peťo
        Košice Žilina Prešov Nitra Banská Bystrica Trenčín Piešťany Kováč Tóth Horváth Varga Šimko Ďurica Hôrka Môj
        Vladimír Martin Kamil Bárta Bláha Vlček Zámečník Kadlec Křížová Marešová Dušek Nováková Svobodová Dvořáková
        Jiřina Radomír Řezníček Tůma Hrůza Dědina Ďáblice Ťapák Poděbrady Boďa""",
    ),
    "hu": (
        _CENTRAL,
        """László István János József György Sándor Zoltán Gábor Péter Tamás András Béla Géza Károly Mihály Ákos Ádám
        Árpád Éva Ágnes Mária Katalin Erzsébet Ilona Zsófia Kovács Szabó Tóth Horváth Nagy Kiss Molnár Németh Balázs
        Farkas Papp Takács Juhász Lakatos Mészáros Oláh Simon Rácz Fekete Szűcs Győr Székesfehérvár Debrecen Pécs Szeged
        Miskolc Nyíregyháza Kecskemét Szombathely Szolnok Tatabánya Kaposvár Érd Veszprém Sopron Eger Budaörs Gödöllő
        Őrsi Űr Ősz Fő utca út tér Erdő Mező Szőke Szőlő Ernő Jenő Gergő Győző Dezső Szűts Fűzfő Kőszegi Bődi Gyűrű
        Rózsa Petőfi Kossuth Görög Török Vörös Zöld Fülöp Kökény Gömöri Üveges Öreg Csaba Lőrinc Bükk Füredi""",
    ),
    "ro": (
        _CENTRAL,
        """Ştefan Ioan Gheorghe Mihăiţă Cătălin Cristina Ionuţ Răzvan Mădălina Bogdan Ioniţă Călin Dănuţ Ţepeş Bălan
        Mureşan Rusu Stănescu Dumitraşcu Câmpeanu Bucureşti Iaşi Timişoara Constanţa Braşov Galaţi Ploieşti Oradea Brăila
        Piteşti Târgu Mureş Bistriţa Focşani Botoşani Suceava Râmnicu Vâlcea Buzău Şerban Tănase Brâncuşi Înv Îngeru
        Crăciun Drăgan Pătraşcu Sârbu Pârvu Şoseaua Strada Grădinii Părului Anişoara Neaţă Niţă Cîmpina Rădulescu""",
    ),
    "hr": (
        _CENTRAL,
        """Željko Živko Šime Čedomir Đorđe Đuro Krešimir Tomislav Domagoj Božidar Miloš Nenad Dragiša Snježana Vesna Ružica
        Horvat Kovačević Babić Marić Jurić Novaković Petrović Jovanović Nikolić Đorđević Stojanović Ilić Pavlović Perković
        Šarić Božić Lončar Vuković Matić Blažević Grgić Ćosić Čačak Niš Šibenik Požega Županja Đakovo Čakovec Krapinske
        Žužemberk Škofja Loka Črnomelj Novo Mesto Križaj Žagar Zupančič Kovačič Košir Vidmar Bratušek Šuštar""",
    ),
    "lt": (
        _BALTIC,
        """Žydrūnas Vytautas Jūratė Rūta Giedrė Eglė Živilė Šarūnas Saulė Kęstutis Mindaugas Česlovas Ąžuolas Gražina Birutė
        Kazlauskas Jankauskienė Petrauskaitė Butkutė Stankevičius Žukauskas Šimkus Vaitkevičius Urbonavičienė Šiauliai
        Panevėžys Klaipėda Kėdainiai Telšiai Mažeikiai Utena Tauragė Plungė Kretinga Radviliškis Ukmergė Druskininkai
        Rokiškis Biržai Vilkaviškis Gargždai gatvė Žemaitė Laisvės Ąžuolų Liepų Lėtas Ėglis Įmonė Kaišiadorys Ūla Algirdas
        Šeškinė Gedimino Kūčių Mikėnas Račkauskas Žalgirio Brazdžionis Daukša Vėjas Sąjunga Dūkštas Būga Grigaliūnas
        Paulauskaitė Valančius""",
    ),
    "lv": (
        _BALTIC,
        """Jānis Andris Pēteris Mārtiņš Kārlis Juris Edgars Ģirts Ēriks Āris Anna Kristīne Līga Inese Ilze Dārta Žanete Ķeniņš
        Bērziņš Kalniņš Ozoliņš Jansons Liepiņš Krūmiņš Balodis Eglītis Zariņš Pētersons Vītols Kļaviņš Kārkliņš Rīga
        Daugavpils Liepāja Jelgava Jūrmala Rēzekne Ogre Cēsis Kuldīga Tukums Salaspils Bauska Ķekava Sigulda Mārupe Brīvības
        iela Lāčplēša Čaks Šķēle Ņina Ļubova Ūdris Gūtmanis Vējonis Zeļģis Aizkraukle Talsi Alūksne Ludza Krāslava""",
    ),
    "et": (
        (*_BALTIC, *_WESTERN),
        """Jüri Jaan Tõnu Tõnis Õie Ülle Kätlin Märt Mäe Pärn Põld Saar Kõiv Sõber Lõhmus Rebane Tamm Kask Pärnu Võru Jõhvi
        Põlva Jõgeva Rõuge Käina Kärdla Tõrva Põltsamaa Tähe Päike Külli Riina Ööbik Ülo Öö Jõe Väljaots Kütt Žanna Šmidt Aleksandr Žukov Šahh Mäeots""",
    ),
    "tr": (
        _TURKISH,
        """Ayşe Fatma Gülşen Şükrü Çağlar Özgür Ömer Çetin İbrahim İsmail Işık Ümit Uğur Yiğit Doğan Tuğba Hülya Gökçe Büşra
        Şeyma Yıldız Yılmaz Öztürk Aydın Şahin Çelik Kılıç Arslan Doğru Aslan Çakır Güneş Koç Kurtoğlu Özdemir Yıldırım
        Şimşek Erdoğan Avcı Güler Ateş Bulut İstanbul İzmir Eskişehir Diyarbakır Şanlıurfa Çanakkale Muğla Balıkesir Kırıkkale
        Adıyaman Aydın Ağrı Iğdır Çorum Niğde Nevşehir Kırşehir Gümüşhane Sakarya Beşiktaş Kadıköy Üsküdar Şişli Caddesi
        Sokağı Mahallesi Müdürlüğü Nişantaşı Bağdat Işıl Barış Çiğdem İlker Ilgın Kızılay Altındağ Söğütlü Başak Tekirdağ""",
    ),
    "ru": (
        _CYRILLIC,
        """Иван Алексей Дмитрий Сергей Андрей Михаил Николай Владимир Екатерина Наталья Ольга Татьяна Елена Анна Мария
        Юлия Светлана Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов Волков Алексеев
        Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров Зайцев Соловьёв Борисов
        Яковлев Григорьев Романов Воробьёв Москва Новосибирск Екатеринбург Нижний Новгород Казань Челябинск Омск Самара
        Ростов Уфа Красноярск Пермь Воронеж Волгоград улица проспект Ленина Мира Советская Молодёжная Центральная Имя Фамилия
        Отчество Город Телефон Адрес Электронная почта Евгений Щербаков Цветкова Шишкин Чайковский Эдуард Ююкин Хабаровск
        Жуков Подъячев Объездная""",
    ),
    "uk": (
        ("cp1251", "koi8-u", "cp1125", "iso8859-5", "mac-cyrillic"),
        """Олександр Сергій Андрій Володимир Юрій Іван Михайло Василь Дмитро Наталія Олена Тетяна Ірина Оксана Людмила Шевченко
        Коваленко Бондаренко Ткаченко Кравченко Олійник Шевчук Поліщук Київ Харків Одеса Дніпро Львів Запоріжжя Кривий Ріг
        Миколаїв Вінниця Чернігів Житомир Хмельницький Чернівці Рівне Івано-Франківськ вулиця Їжакевич Єва Євген Прізвище Місто""",
    ),
    "el": (
        _GREEK,
        """Γεώργιος Ιωάννης Κωνσταντίνος Δημήτριος Νικόλαος Παναγιώτης Βασίλειος Χρήστος Αθανάσιος Μιχαήλ Ευάγγελος Σπυρίδων
        Μαρία Ελένη Αικατερίνη Βασιλική Σοφία Αγγελική Γεωργία Παπαδόπουλος Παππάς Καραγιάννης Βλάχος Ιωαννίδης Οικονόμου
        Παπαγεωργίου Μακρής Κωνσταντινίδης Δημόπουλος Αθήνα Θεσσαλονίκη Πάτρα Ηράκλειο Λάρισα Βόλος Ιωάννινα Καβάλα Χανιά
        Οδός Πλατεία Όνομα Επώνυμο Πόλη Τηλέφωνο Διεύθυνση Άννα Έλλη Ήρα Ίρις Όλγα Ώρα Ζωή Ξένια Ψαράς Φώτης""",
    ),
    "he": (
        _HEBREW,
        """דוד משה יוסף אברהם יעקב יצחק שמואל דניאל מיכאל רחל שרה רבקה לאה מרים אסתר חנה תמר נועה כהן לוי מזרחי פרץ ביטון
        דהן אברהם פרידמן אזולאי מלכה כץ יוסף חדד ירושלים תל אביב חיפה באר שבע נתניה אשדוד פתח תקווה רמת גן הרצליה רחוב שם
        משפחה עיר טלפון כתובת דואר גבאי עמר סגל טוביה צפורה זהבה ארץ סוף""",
    ),
    "ar": (
        ("cp1256", "iso8859-6"),
        """محمد أحمد علي حسن حسين إبراهيم يوسف خالد عبد الله عمر سعيد فاطمة مريم عائشة زينب خديجة ليلى سارة نور القاهرة
        الإسكندرية الرياض جدة مكة المدينة دبي بغداد دمشق بيروت عمان الاسم المدينة الهاتف العنوان شارع صالح ناصر منصور طارق
        هشام وليد ثامر ذياب ضياء ظافر غازي فؤاد قاسم كمال جمال""",
    ),
    "th": (
        ("cp874",),
        """สมชาย สมศักดิ์ ประเสริฐ วิชัย สุรชัย อนันต์ มานะ สมหญิง มาลี สุดา วันดี กรุงเทพมหานคร เชียงใหม่ ภูเก็ต ขอนแก่น นครราชสีมา
        ชื่อ นามสกุล เมือง โทรศัพท์ ที่อยู่ ถนน จังหวัด อำเภอ ตำบล ใจดี รักไทย ศรีสุข ทองดี แสงทอง""",
    ),
    "ja": (
        ("cp932", "euc_jp"),
        """佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 清水 山崎 森 池田 橋本 阿部 石川 前田
        藤田 小川 後藤 岡田 長谷川 村上 近藤 石井 坂本 遠藤 青木 藤井 西村 福田 太田 三浦 岡本 原田 中野 大輔 健太 直樹 美咲 陽子 恵子 由美子 花子
        太郎 一郎 次郎 東京都 大阪府 京都市 横浜市 名古屋 札幌 神戸 福岡県 北海道 千葉 埼玉 広島 仙台 区 町 村 丁目 番地 名前 住所 電話番号 氏名
        サトウ スズキ タナカ ヤマモト ケンタ ハナコ タロウ ユミコ マンション ビル さくら ひろし あかり みどり こうえん 新宿 渋谷 港 中央""",
    ),
    "zh-hans": (
        ("gb18030",),
        """王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 邓 许 傅 沈 曾 彭 吕 伟 芳 娜 秀英 敏 静
        丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀兰 霞 平 刚 桂英 建国 文 华 小红 志强 北京市 上海 广州 深圳 天津 重庆 成都 武汉 杭州 南京 西安 苏州 青岛
        大连 沈阳 长沙 路 街 号 区 省 县 镇 姓名 电话 地址 城市 邮箱 客户 公司 有限 中国 东 西 南 北 人民 新""",
    ),
    "zh-hant": (
        ("big5", "gb18030"),
        """陳 林 黃 張 李 王 吳 劉 蔡 楊 許 鄭 謝 郭 洪 邱 曾 廖 賴 徐 周 葉 蘇 莊 呂 江 何 蕭 羅 高 潘 簡 朱 鍾 游 彭 詹 胡 施 沈 家豪 志明 俊傑 建宏
        淑芬 美玲 雅婷 淑惠 怡君 台北市 新北 桃園 台中 台南 高雄 基隆 新竹 嘉義 屏東 宜蘭 花蓮 台東 路 街 號 段 巷 樓 區 縣 鄉 鎮 姓名 電話 地址 城市
        香港 九龍 新界 中正 中山 信義 忠孝 仁愛 和平 民生 國 華 文 明 德 玉 秀 英 雄 偉""",
    ),
    "ko": (
        ("cp949",),
        """김 이 박 최 정 강 조 윤 장 임 한 오 서 신 권 황 안 송 류 전 홍 고 문 양 손 배 백 허 유 남 심 노 하 곽 성 차 주 우 구 민수 지훈 현우 준호 성민
        영희 지은 수진 미영 은주 지혜 민지 서연 하은 철수 동현 서울특별시 부산광역시 대구 인천 광주 대전 울산 수원시 성남 고양 용인 창원 청주 전주 천안
        강남구 종로구 도로 길 동 이름 주소 전화번호 도시 회사 고객 시 군 읍 면 경기도 제주""",
    ),
}
